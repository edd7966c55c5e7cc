import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { badParameter } from "../http/api-error.ts";
import type { Page } from "../http/pagination.ts";
import type { Parameters } from "../http/parameters.ts";
import type { ProjectRecord } from "../store/records.ts";

/** One page of history, newest first; `undefined` for a revision that is not there. */
export async function listCommits(
  context: ForgeContext,
  project: ProjectRecord,
  parameters: Parameters,
  page: Page,
): Promise<{ commits: GitCommit[]; hasNext: boolean } | undefined> {
  const { git, objects, repositories } = context;
  const gitDir = repositories.path(project.id);
  const all = parameters.boolean("all") ?? false;
  const wanted = parameters.filled("ref_name");
  if (project.empty && wanted === undefined) return { commits: [], hasNext: false };
  const start = all ? undefined : await objects.resolve(gitDir, wanted ?? project.defaultBranch);
  if (!all && !start) return undefined;
  const author = parameters.filled("author");
  const path = parameters.filled("path");
  const text = await git.text(gitDir, [
    "rev-list",
    `--max-count=${page.perPage + 1}`,
    `--skip=${(page.page - 1) * page.perPage}`,
    ...dateOption(parameters, "since"),
    ...dateOption(parameters, "until"),
    ...(author === undefined ? [] : ["--fixed-strings", "--regexp-ignore-case", `--author=${author}`]),
    ...(parameters.boolean("first_parent") ? ["--first-parent"] : []),
    ...(parameters.choice("order", ["default", "topo"]) === "topo" ? ["--topo-order"] : []),
    ...(start ? [start.id] : ["--branches", "--tags"]),
    "--",
    ...(path === undefined ? [] : [path]),
  ]);
  const ids = text.split("\n").filter(Boolean);
  const commits = await Promise.all(ids.slice(0, page.perPage).map((id) => objects.commit(gitDir, id)));
  return { commits: commits.flatMap((commit) => commit ?? []), hasNext: ids.length > page.perPage };
}

function dateOption(parameters: Parameters, name: "since" | "until"): string[] {
  const text = parameters.filled(name);
  if (text === undefined) return [];
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw badParameter(`${name} is invalid`);
  return [`--${name}=${new Date(time).toISOString()}`];
}
