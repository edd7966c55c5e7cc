import type { ForgeProject } from "../forge.ts";
import type { ChangedFile, MergeRequestDiff } from "../forge-merge-requests.ts";
import { diffLines } from "../unified-diff.ts";
import type { GitHubClient } from "./client.ts";
import { at } from "./projects.ts";

/** When each open pull request was first seen with its newest commit, by repository and number. */
export type SeenHeads = Map<string, { head: string; at: string }>;

const maxSeen = 10_000; // the oldest go first; one that is forgotten counts as seen now

/**
 * The diff of a pull request. GitHub keeps no time at which a commit was pushed, and the one in the commit is its author's to choose:
 * `since` is when we first saw it, by GitHub's clock. After a restart that is later than it was, which asks members once more.
 */
export async function readDiff(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
  seen: SeenHeads,
): Promise<MergeRequestDiff> {
  const which = { ...at(project), pull_number: number };
  const { data, headers } = await client.rest.pulls.get(which);
  const listed = await client.paginate(client.rest.pulls.listFiles, { ...which, per_page: 100 });
  return {
    version: { base: data.base.sha, start: data.base.sha, head: data.head.sha },
    since: firstSeen(seen, `${project.id} ${number}`, data.head.sha, headers.date),
    files: listed
      .filter(({ status }) => status !== "removed")
      .map(
        ({ filename: newPath, previous_filename: oldPath = newPath, patch }): ChangedFile => ({
          ...{ oldPath, newPath },
          lines: diffLines(patch ?? ""), // none for what is binary or very long
        }),
      ),
  };
}

function firstSeen(seen: SeenHeads, key: string, head: string, date: string | undefined): string {
  const known = seen.get(key);
  if (known?.head === head) return known.at;
  const now = Date.parse(date ?? "");
  const at = new Date(Number.isNaN(now) ? Date.now() : now).toISOString();
  seen.delete(key);
  seen.set(key, { head, at });
  const [oldest] = seen.keys();
  if (seen.size > maxSeen && oldest !== undefined) seen.delete(oldest);
  return at;
}
