import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";

const maxCommits = 20; // the newest; `total_commits_count` tells the rest

// git lists all files that a commit touched before it prints the first. A few trees that repeat each other can hold more of
// them than any memory: with one block of at most this many bytes git gives up at about 200,000 files.
const maxGitBlock = "2m";
const filesDeadlineMs = 10_000;
const maxFilesBytes = 4 * 1024 * 1024; // even with every character escaped the webhook's body is not too large to be sent

/** The commits a push brought, oldest first, with the files each touched; without them where they are too many to be told. */
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
  const log = await listCommits(context, gitDir, [`--max-count=${limit}`, ...revisions]);
  // A force push may have dropped the old commit by now; then only the state is told, not the way there.
  if (log === undefined) return { commits: [], total: 0 };
  const entries = parseNameStatus(log);
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
  if (range.limit !== undefined || entries.length < limit) return { commits, total: entries.length };
  const total = await context.git.run(gitDir, ["rev-list", "--count", ...revisions, "--"]);
  return { commits, total: Number(total.stdout.toString("utf8")) };
}

/** What `parseNameStatus` reads; `undefined` when git does not know the revisions. */
async function listCommits(
  context: ForgeContext,
  gitDir: string,
  wanted: readonly string[],
): Promise<string | undefined> {
  const log = ["log", "-z", "--format=%x01%H"];
  const files = ["--name-status", "--no-renames", "--diff-merges=first-parent"];
  const withFiles = await context.git
    .run(gitDir, [...log, ...files, ...wanted, "--"], {
      environment: { GIT_ALLOC_LIMIT: maxGitBlock },
      deadlineMs: filesDeadlineMs,
      maxOutputBytes: maxFilesBytes,
    })
    .catch((error: unknown) => {
      context.logger.warn({ gitDir, err: messageOf(error) }, "the files of a push cannot be told");
      return undefined;
    });
  if (withFiles?.code === 0) return withFiles.stdout.toString("utf8");
  const without = await context.git.run(gitDir, [...log, "--no-patch", ...wanted, "--"]);
  return without.code === 0 ? without.stdout.toString("utf8") : undefined;
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
