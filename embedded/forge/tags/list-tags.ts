import type { ForgeContext } from "../forge-context.ts";
import type { Parameters } from "../http/parameters.ts";
import { matchesSearch } from "../repository/matches-search.ts";
import type { ProjectRecord } from "../store/records.ts";

export interface Tag {
  name: string;
  /** The tag object of an annotated tag, else the commit. */
  target: string;
}

const orders = { name: "refname", updated: "creatordate", version: "version:refname" } as const;

/** Tags by `order_by`, `sort` and `search`; the newest first when nothing is said. */
export async function listTags(
  context: ForgeContext,
  project: ProjectRecord,
  parameters: Parameters,
): Promise<Tag[]> {
  const order = parameters.choice("order_by", ["name", "updated", "version"]) ?? "updated";
  const direction = parameters.choice("sort", ["asc", "desc"]) ?? "desc";
  const search = parameters.filled("search");
  const text = await context.git.text(context.repositories.path(project.id), [
    "for-each-ref",
    `--sort=${direction === "desc" ? "-" : ""}${orders[order]}`,
    "--format=%(objectname) %(refname:lstrip=2)",
    "refs/tags/",
  ]);
  const lines = text.split("\n").filter(Boolean);
  const tags = lines.map((line) => ({ target: line.slice(0, 40), name: line.slice(41) }));
  return tags.filter((tag) => matchesSearch(tag.name, search));
}
