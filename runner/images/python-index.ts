import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readTextIfThere } from "#core/atomic-file";
import { isSystemError } from "#core/errors";
import type { MachinePip } from "./machine-pip.ts";
import { type Upstream, withCredentialsOf } from "./upstream-request.ts";

const maxPageBytes = 32 * 1024 * 1024; // the largest project pages have a few MiB
const archive = /\.(whl|tar\.gz|tar\.bz2|tar\.xz|tgz|zip)$/i;

/** The machine's package indexes and folders of packages as one index under neutral names. */
export interface PythonIndex {
  /** pip's settings inside a build. */
  pipConfig(origin: string): string;
  /** The page of a project (PEP 503), with links to `file` below; `undefined` where nobody has it. */
  page(project: string, signal: AbortSignal): Promise<string | undefined>;
  /** A file that a page linked to, by its number. */
  file(number: number, signal: AbortSignal): Promise<{ body: Readable; bytes?: number } | undefined>;
}

interface Link {
  url: URL;
  /** `#sha256=...` and the like. */
  fragment: string;
  /** Attributes pip looks at, as they were written. */
  attributes: string;
}

export function pythonIndex(pip: MachinePip, upstream: Upstream): PythonIndex {
  const indexes = pip.noIndex ? [] : [pip.indexUrl, ...pip.extraIndexUrls].flatMap((url) => toUrl(url) ?? []);
  const folders = pip.findLinks.flatMap((place) => toUrl(place) ?? []);
  const served: URL[] = [];
  const numbers = new Map<string, number>();

  function numberOf(url: URL): number {
    const known = numbers.get(url.href);
    if (known !== undefined) return known;
    served.push(url);
    numbers.set(url.href, served.length - 1);
    return served.length - 1;
  }

  return {
    pipConfig(origin) {
      const ownDefault = pip.indexUrl === undefined && !pip.noIndex;
      const setting = ownDefault ? "extra-index-url" : "index-url";
      return `[global]\n${setting} = ${origin}/simple/\ntrusted-host = ${new URL(origin).hostname}\nretries = 1\ntimeout = 30\n`;
    },

    async page(project, signal) {
      const name = project.replace(/[-_.]+/g, "-").toLowerCase();
      const places = [
        ...indexes.map((index) => linksOf(new URL(`${name}/`, withSlash(index)), upstream, signal)),
        ...folders.map(async (folder) =>
          (await linksOf(folder, upstream, signal)).filter((link) => belongsTo(link, name)),
        ),
      ];
      // As pip does: an index that cannot be reached is passed over as long as another one has the project.
      const answers = await Promise.allSettled(places);
      const links = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
      const failed = answers.find((answer) => answer.status === "rejected");
      if (links.length === 0 && failed) throw failed.reason;
      if (links.length === 0) return undefined;
      const rows = links.map(({ url, fragment, attributes }) => {
        const file = encodeURIComponent(fileName(url));
        return `<a href="/files/${numberOf(url)}/${file}${fragment}"${attributes}>${file}</a><br>`;
      });
      return `<!DOCTYPE html><html><body>\n${rows.join("\n")}\n</body></html>\n`;
    },

    async file(number, signal) {
      const url = served[number];
      if (!url) return undefined;
      if (url.protocol === "file:") {
        const path = fileURLToPath(url);
        return { body: createReadStream(path), bytes: (await stat(path)).size };
      }
      const response = await upstream.get(url, signal);
      if (response.statusCode === 404) return response.resume() && undefined;
      if (response.statusCode !== 200) throw answered(url, response.resume().statusCode);
      const bytes = Number(response.headers["content-length"] ?? Number.NaN);
      return { body: response, ...(Number.isSafeInteger(bytes) ? { bytes } : {}) };
    },
  };
}

/** All links to packages on a page, or in a folder. Nothing there is an empty list. */
async function linksOf(place: URL, upstream: Upstream, signal: AbortSignal): Promise<Link[]> {
  if (place.protocol === "file:") return localLinks(fileURLToPath(place));
  const response = await upstream.get(place, signal);
  if (response.statusCode === 404) {
    response.resume();
    return [];
  }
  if (response.statusCode !== 200) throw answered(place, response.resume().statusCode);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxPageBytes) throw new Error(`the page of ${place.hostname} is too large`);
    chunks.push(chunk as Buffer);
  }
  return parseLinks(Buffer.concat(chunks).toString("utf8"), place);
}

async function localLinks(path: string): Promise<Link[]> {
  const page = path.endsWith(".html") ? path : join(path, "index.html");
  const html = await readTextIfThere(page);
  if (html !== undefined) return parseLinks(html, pathToFileURL(page));
  try {
    const names = (await readdir(path)).filter((name) => archive.test(name));
    return names.map((name) => ({ url: pathToFileURL(join(path, name)), fragment: "", attributes: "" }));
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}

/** Anchors of a page. One that came over the network cannot point to this machine's files. */
export function parseLinks(html: string, page: URL): Link[] {
  const links: Link[] = [];
  for (const [, inside = ""] of html.matchAll(/<a\s((?:[^>"']|"[^"]*"|'[^']*')*)>/gi)) {
    const attribute = (name: string) =>
      new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "i")
        .exec(inside)
        ?.slice(1)
        .find(Boolean);
    const href = attribute("href");
    if (href === undefined || !URL.canParse(unescapeHtml(href), page.href)) continue;
    const url = withCredentialsOf(new URL(unescapeHtml(href), page), page);
    const { hash } = url;
    url.hash = "";
    const allowed = url.protocol === "http:" || url.protocol === "https:" || page.protocol === "file:";
    if (!allowed || !archive.test(url.pathname)) continue;
    const kept = ["data-requires-python", "data-yanked"].flatMap((name) => {
      const value = attribute(name);
      if (value !== undefined) return [` ${name}="${escapeHtml(unescapeHtml(value))}"`];
      return new RegExp(`(^|\\s)${name}(\\s|=|$)`).test(inside) ? [` ${name}=""`] : [];
    });
    const fragment = /^#(sha256|sha384|sha512|sha1|md5)=[0-9a-f]+$/i.test(hash) ? hash : "";
    links.push({ url, fragment, attributes: kept.join("") });
  }
  return links;
}

/** Whether a file of a folder with many projects is of this one: names end where the version begins. */
function belongsTo(link: Link, project: string): boolean {
  const file = fileName(link.url);
  const parts = file.replace(archive, "").split("-");
  return parts.some((_, index) => {
    const name = parts.slice(0, index + 1).join("-");
    return index < parts.length - 1 && name.replace(/[-_.]+/g, "-").toLowerCase() === project;
  });
}

function fileName(url: URL): string {
  return decodeURIComponent(basename(url.pathname));
}

function toUrl(place: string | undefined): URL | undefined {
  if (place === undefined) return undefined;
  const url = place.startsWith("/") ? pathToFileURL(place) : URL.canParse(place) ? new URL(place) : undefined;
  return url && ["http:", "https:", "file:"].includes(url.protocol) ? url : undefined;
}

function withSlash(url: URL): URL {
  const folder = new URL(url);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  return folder;
}

/** Without credentials and path: messages reach build logs. */
function answered(url: URL, status: number | undefined): Error {
  return new Error(`a Python package index answered ${status} (${url.protocol}//...)`);
}

const entities: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#34": '"',
  "#39": "'",
  "#x27": "'",
};

function unescapeHtml(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#34|#39|#x27);/g, (whole, name: string) => entities[name] ?? whole);
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
