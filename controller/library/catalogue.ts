import { isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import MiniSearch from "minisearch";
import type { LibraryAsset } from "#schemas/library";
import type { GitReader } from "../assets/git-reader.ts";
import { type AssetKind, assetKinds } from "./asset-kinds.ts";

const maxDocumentBytes = 256 * 1024; // a larger README is no description
const maxIndexedCharacters = 16 * 1024; // of one text; what people search for stands at its beginning
const maxCatalogueCharacters = 8 * 1024 * 1024; // of all texts of one repository; further ones are found by name only
const maxDescriptionCharacters = 300;
const indexTogether = 50; // assets indexed without a break: some 20 ms
const readTogether = 100; // texts read by one git process

/** What a search found, with its score: the higher, the better. */
export interface Found {
  asset: LibraryAsset;
  score: number;
}

/** The assets of a repository at one commit, and an index over their names and texts. */
export interface Catalogue {
  commit: string;
  /** By kind, then by name. */
  assets: readonly LibraryAsset[];
  /** Characters that were indexed: what the catalogue weighs in memory. */
  characters: number;
  /** Every word has to be the beginning of a word in the name, the title or the text. Best first. */
  search(words: string, kind: AssetKind | undefined): Found[];
}

/** Reads names, sizes, and what README and description say. */
export async function makeCatalogue(reader: GitReader, signal?: AbortSignal): Promise<Catalogue> {
  const assets = listAssets(reader);
  const texts = await readTexts(reader, assets, signal);
  const index = new MiniSearch<{ id: number; name: string; title: string; text: string }>({
    fields: ["name", "title", "text"],
    processTerm: searchTerm,
    searchOptions: { prefix: true, combineWith: "AND", boost: { name: 4, title: 2 } },
  });
  let characters = 0;
  for (const [id, asset] of assets.entries()) {
    if (id % indexTogether === 0) await nextTurn(); // others are served in between
    const text = texts.get(asset.path) ?? { readme: "", description: "" };
    asset.title = titleOf(text.readme);
    asset.description = firstParagraph(text.description) || firstParagraph(text.readme);
    const all = `${text.description}\n${text.readme}`.slice(0, maxIndexedCharacters);
    const indexed = characters + all.length > maxCatalogueCharacters ? "" : all;
    characters += asset.name.length + asset.title.length + indexed.length + asset.description.length;
    index.add({ id, name: asset.name, title: asset.title, text: indexed });
  }
  return {
    commit: reader.commit,
    assets,
    characters,
    search: (words, kind) =>
      index.search(words).flatMap(({ id, score }) => {
        const asset = assets[id as number];
        return asset && (kind === undefined || asset.kind === kind) ? [{ asset, score }] : [];
      }),
  };
}

/** Accents do not matter to somebody who types quickly. */
function searchTerm(term: string): string {
  return term.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
}

function listAssets(reader: GitReader): LibraryAsset[] {
  const sizes = new Map<string, { files: number; bytes: number }>();
  for (const entry of reader.entries) {
    if (entry.kind !== "file") continue;
    const [kind = "", name] = entry.path.split("/", 2);
    if (name === undefined) continue;
    const size = sizes.get(`${kind}/${name}`) ?? { files: 0, bytes: 0 };
    size.files += 1;
    size.bytes += entry.bytes;
    sizes.set(`${kind}/${name}`, size);
  }
  return assetKinds.flatMap((kind) =>
    reader.list(kind).flatMap((name): LibraryAsset[] => {
      const path = `${kind}/${name}`;
      const entry = reader.entry(path);
      if (entry === undefined || name.startsWith(".")) return []; // .gitkeep holds a folder open
      const { files, bytes } = sizes.get(path) ?? { files: 0, bytes: 0 };
      const { id } = entry;
      return [
        { kind, name, path, folder: entry.kind === "folder", files, bytes, id, title: "", description: "" },
      ];
    }),
  );
}

/** The texts of every asset that has some, by its path. */
async function readTexts(
  reader: GitReader,
  assets: readonly LibraryAsset[],
  signal: AbortSignal | undefined,
): Promise<Map<string, { readme: string; description: string }>> {
  const wanted = assets.flatMap(({ path, folder }) =>
    (folder ? reader.list(path) : [])
      .filter((name) => /^(readme|description)\.(md|txt)$/i.test(name))
      .map((name) => ({ asset: path, name, path: `${path}/${name}` }))
      .filter((file) => (reader.entry(file.path)?.bytes ?? Number.POSITIVE_INFINITY) <= maxDocumentBytes),
  );
  const texts = new Map<string, { readme: string; description: string }>();
  for (let start = 0; start < wanted.length; start += readTogether) {
    const some = wanted.slice(start, start + readTogether);
    const contents = await reader.readAll(
      some.map(({ path }) => path),
      maxDocumentBytes,
      signal,
    );
    for (const { asset, name, path } of some) {
      const bytes = contents.get(path);
      if (bytes === undefined || !isUtf8(bytes)) continue;
      const text = Buffer.from(bytes).toString("utf8").slice(0, maxIndexedCharacters);
      const known = texts.get(asset) ?? { readme: "", description: "" };
      texts.set(asset, { ...known, [/^readme/i.test(name) ? "readme" : "description"]: text });
    }
  }
  return texts;
}

/** The first heading of a Markdown text. */
function titleOf(markdown: string): string {
  return (/^#{1,2}[ \t]+(.+?)[ \t#]*$/m.exec(markdown)?.[1] ?? "").slice(0, maxDescriptionCharacters);
}

/** The first text that is no heading, on one line. */
function firstParagraph(markdown: string): string {
  const paragraphs = markdown.split(/\n[ \t]*\n/).map((block) =>
    block
      .split("\n")
      .filter((line) => !/^\s*(#|---|===)/.test(line))
      .join(" ")
      .trim(),
  );
  const text = [...(paragraphs.find((paragraph) => paragraph !== "") ?? "")];
  return text.slice(0, maxDescriptionCharacters).join("");
}
