import { isUtf8 } from "node:buffer";
import { maxTreeEntries } from "#schemas/tree/tree-limits";
import { type GitEntry, kindOfMode, noUtf8, tooMany } from "./git-entry.ts";
import { endGit, GitFailed, type GitOptions, startGit } from "./run-git.ts";

const listDeadlineMs = 60_000;

/**
 * Everything in the tree of a commit, parents before children, as it comes from git. A tree that repeats itself
 * endlessly ends at `maxTreeEntries` with `ActionNeededError("TREE_REFUSED")`; what git cannot read is `GitFailed`.
 */
export async function listTree(
  repository: { git: GitOptions; gitDir: string },
  commit: string,
  signal: AbortSignal | undefined,
): Promise<GitEntry[]> {
  const child = startGit(repository.git, {
    gitDir: repository.gitDir,
    args: ["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", commit],
  });
  const deadline = AbortSignal.timeout(listDeadlineMs);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const onStop = () => endGit(child);
  stop.addEventListener("abort", onStop, { once: true });
  const ended = new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", resolve);
  });
  child.stdin.on("error", () => {});
  child.stdin.end();
  child.stderr.resume();
  const entries: GitEntry[] = [];
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      const text = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      let start = 0;
      for (let end = text.indexOf(0); end >= 0; end = text.indexOf(0, start)) {
        entries.push(parseEntry(text.subarray(start, end)));
        if (entries.length > maxTreeEntries) throw tooMany();
        start = end + 1;
      }
      rest = text.subarray(start);
    }
    const code = await ended;
    if (stop.aborted) throw new GitFailed("git ls-tree took too long or was aborted", "aborted");
    if (code !== 0) throw new GitFailed("git ls-tree cannot read this commit", "exit", code ?? undefined);
    return entries;
  } finally {
    stop.removeEventListener("abort", onStop);
    if (child.exitCode === null) endGit(child);
  }
}

function parseEntry(record: Buffer): GitEntry {
  const tab = record.indexOf(9);
  const name = record.subarray(tab + 1);
  if (!isUtf8(name)) throw noUtf8(name);
  const [mode = "", , id = "", size = ""] = record.subarray(0, tab).toString("latin1").split(/ +/);
  const bytes = size === "-" ? 0 : Number(size);
  if (!Number.isSafeInteger(bytes)) throw new GitFailed(`the object ${id} is missing`, "exit");
  return { path: name.toString("utf8"), kind: kindOfMode(mode), executable: mode === "100755", id, bytes };
}
