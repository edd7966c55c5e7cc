import { Command } from "commander";
import type { Items } from "#schemas/api";
import type {
  LibraryAsset,
  LibraryEntry,
  LibraryPage,
  LibraryRepositoryView,
  LibrarySearch,
} from "#schemas/library";
import type { ApiClient } from "../api/api-client.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { table } from "../output/table.ts";
import { findLibraryPath, repositoryRoute } from "./library-path.ts";

const perPage = "1000";

interface ListOptions extends CommonOptions {
  kind?: string;
}

/** `dtaas library list [path]` */
export function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("repositories, the assets of one, or what lies in a folder")
    .argument("[path]", "a repository, or a folder in one")
    .option("--kind <kind>", "only data, functions, models, tools or digital_twins")
    .action(async (text: string | undefined, options: ListOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      if (text === undefined) {
        const { items } = await api.get<Items<LibraryRepositoryView>>("/library");
        const rows = items.map((one) => [one.repository, one.kind, one.commit?.slice(0, 8) ?? "-"]);
        context.print({ items }, () => table(["REPOSITORY", "KIND", "COMMIT"], rows));
        return;
      }
      const { repository, path } = await findLibraryPath(api, text, context.user);
      if (path === "") {
        const kind = options.kind === undefined ? {} : { kind: options.kind };
        const assets = await allPages<LibraryAsset>(api, `${repositoryRoute(repository)}/assets`, kind);
        context.print(assets, () => assetTable(assets.items.map((asset) => [asset.path, asset])));
        return;
      }
      const folder = await allPages<LibraryEntry>(api, `${repositoryRoute(repository)}/folder`, { path });
      const rows = folder.items.map((entry) => [
        entry.kind === "folder" ? `${entry.name}/` : entry.name,
        entry.kind === "file" ? String(entry.bytes) : "",
        entry.executable ? "executable" : entry.kind === "file" ? "" : entry.kind,
      ]);
      context.print(folder, () => table(["NAME", "BYTES", "REMARK"], rows));
    });
}

interface SearchOptions extends CommonOptions {
  kind?: string;
  limit: string;
}

/** `dtaas library search <words...>` */
export function searchCommand(io: CliIo): Command {
  return withConnection(new Command("search"))
    .description("assets by name, and by what README and description say")
    .argument("<words...>", "beginnings of words; all must match")
    .option("--kind <kind>", "only data, functions, models, tools or digital_twins")
    .option("--limit <count>", "at most this many", "20")
    .action(async (words: string[], options: SearchOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const query = new URLSearchParams({ q: words.join(" "), limit: options.limit });
      if (options.kind !== undefined) query.set("kind", options.kind);
      if (options.user !== undefined) query.set("repository", options.user);
      const found = await api.get<LibrarySearch>(`/library/search?${query.toString()}`);
      context.print(found, () =>
        found.items.length === 0
          ? "nothing was found\n"
          : assetTable(found.items.map((hit) => [`${hit.repository}/${hit.path}`, hit])),
      );
    });
}

function assetTable(assets: readonly (readonly [string, LibraryAsset])[]): string {
  if (assets.length === 0) return "no assets\n";
  return table(
    ["ASSET", "FILES", "BYTES", "ABOUT"],
    assets.map(([name, asset]) => [
      name,
      String(asset.files),
      String(asset.bytes),
      [asset.title, asset.description].filter(Boolean).join(": "),
    ]),
  );
}

/** All pages of one commit as one. */
async function allPages<T>(
  api: ApiClient,
  route: string,
  more: Record<string, string>,
): Promise<LibraryPage<T>> {
  const query = new URLSearchParams({ ...more, limit: perPage });
  const whole = await api.get<LibraryPage<T>>(`${route}?${query.toString()}`);
  while (whole.next !== null && whole.commit !== null) {
    query.set("commit", whole.commit);
    query.set("after", whole.next);
    const page = await api.get<LibraryPage<T>>(`${route}?${query.toString()}`);
    whole.items.push(...page.items);
    whole.next = page.next;
  }
  return whole;
}
