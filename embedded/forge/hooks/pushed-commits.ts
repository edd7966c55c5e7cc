import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";

const maxCommits = 20; // the newest; `total_commits_count` tells the rest

/** The commits a push brought, oldest first, with the files each touched. */
export async function pushedCommits(
  context: ForgeContext,
  project: ProjectRecord,
  range: { ref: string; before: string; after: string; limit?: number },
) {
  const { after } = range;
  if (after === zeroId) return { commits: [], total: 0 };
  const gitDir = context.repositories.path(project.id);
  const exclude = range.limit ? undefined : await knownBefore(gitDir, project, range);
  const revisions = exclude ? [after, `^${exclude}`] : [after];
  const limit = range.limit ?? maxCommits;
  const [log, total] = await Promise.all([
    context.git.run(gitDir, [
      "log",
      `--max-count=${limit}`,
      "--name-status",
      "--no-renames",
      "--diff-merges=first-parent",
      "-z",
      `--format=%x01%H`,
      ...revisions,
      "--",
    ]),
    range.limit ? undefined : context.git.run(gitDir, ["rev-list", "--count", ...revisions, "--"]),
  ]);
  // A force push may have dropped the old commit by now; then only the state is told, not the way there.
  if (log.code !== 0) return { commits: [], total: 0 };
  const entries = parseNameStatus(log.stdout.toString("utf8"));
  const commits = [];
  for (const entry of entries.reverse()) {
    const commit = await context.objects.commit(gitDir, entry.id);
    if (!commit) continue;
    commits.push({
      id: commit.id,
      message: commit.message,
      title: commit.message.split("\n", 1)[0] ?? "",
      timestamp: commit.committer.date.replace(/\.000/, ""),
      url: `${webUrl(context, project)}/-/commit/${commit.id}`,
      author: { name: commit.author.name, email: commit.author.email },
      added: entry.added,
      modified: entry.modified,
      removed: entry.removed,
    });
  }
  return { commits, total: total ? Number(total.stdout.toString("utf8")) : commits.length };
}

/** Where the new commits begin: the old head, or for a new branch the default branch. */
async function knownBefore(
  gitDir: string,
  project: ProjectRecord,
  range: { ref: string; before: string },
): Promise<string | undefined> {
  if (range.before !== zeroId) return range.before;
  const isDefault = range.ref === `refs/heads/${project.defaultBranch}`;
  return isDefault ? undefined : await branchHead(gitDir, project.defaultBranch);
}

interface TouchedFiles {
  id: string;
  added: string[];
  modified: string[];
  removed: string[];
}

/** Reads `git log -z --name-status` with `\x01<id>` before each commit. */
export function parseNameStatus(text: string): TouchedFiles[] {
  const commits: TouchedFiles[] = [];
  const fields = text.split("\0");
  for (let index = 0; index < fields.length; index++) {
    const field = (fields[index] ?? "").replace(/^\n+/, "");
    if (field.startsWith("\x01")) {
      commits.push({ id: field.slice(1), added: [], modified: [], removed: [] });
      continue;
    }
    const commit = commits.at(-1);
    if (!commit || !/^[AMDTU]$/.test(field)) continue;
    const path = fields[++index] ?? "";
    if (field === "A") commit.added.push(path);
    else if (field === "D") commit.removed.push(path);
    else commit.modified.push(path);
  }
  return commits;
}
