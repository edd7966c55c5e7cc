import { ByteSource } from "./byte-source.ts";
import { type GitEntry, tooMany } from "./git-entry.ts";
import { type KnownListing, listObjects, type TreeSource } from "./list-objects.ts";
import { endGit, GitFailed, type GitOptions, startGit } from "./run-git.ts";

const listDeadlineMs = 60_000;
const maxReadBytes = 16 * 1024 * 1024; // of tree objects; as many names as may be listed need less

/** Everything in the tree of a commit; see `listObjects`. One `git cat-file` reads what is not known yet. */
export async function listTree(
  repository: { git: GitOptions; gitDir: string },
  commit: string,
  signal: AbortSignal | undefined,
  known?: KnownListing,
): Promise<GitEntry[]> {
  const child = startGit(repository.git, {
    gitDir: repository.gitDir,
    args: ["cat-file", "--batch-command", "--buffer"],
  });
  const deadline = AbortSignal.timeout(listDeadlineMs);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const onStop = () => endGit(child);
  stop.addEventListener("abort", onStop, { once: true });
  child.on("error", () => {}); // seen below as the end of output
  child.stdin.on("error", () => {});
  child.stderr.resume();
  const ask = (lines: readonly string[]) => child.stdin.write(`${[...lines, "flush"].join("\n")}\n`);
  try {
    return await listObjects(
      batchSource(ask, new ByteSource(child.stdout as AsyncIterable<Buffer>)),
      commit,
      known,
    );
  } catch (error) {
    if (stop.aborted) throw new GitFailed("git cat-file took too long or was aborted", "aborted");
    throw error;
  } finally {
    stop.removeEventListener("abort", onStop);
    child.stdin.end();
    if (child.exitCode === null) endGit(child);
  }
}

/** Objects out of one `git cat-file --batch-command`. */
function batchSource(ask: (lines: readonly string[]) => void, output: ByteSource): TreeSource {
  let readBytes = 0;
  const head = async (wanted: "tree" | "blob"): Promise<{ id: string; bytes: number }> => {
    const [id = "", type, bytes] = (await output.line()).split(" ");
    if (type !== wanted) throw new GitFailed(`the object ${id} is no ${wanted}`, "exit");
    return { id, bytes: Number(bytes) };
  };
  return {
    root: async (commit) => {
      ask([`info ${commit}^{tree}`]);
      return (await head("tree")).id;
    },
    trees: async (ids) => {
      ask(ids.map((id) => `contents ${id}`));
      const trees: Uint8Array[] = [];
      for (const _ of ids) {
        const { bytes } = await head("tree");
        readBytes += bytes;
        if (readBytes > maxReadBytes) throw tooMany();
        trees.push(Buffer.concat(await output.collect(bytes), bytes));
        await output.collect(1); // the line feed after each object
      }
      return trees;
    },
    sizes: async (ids) => {
      if (ids.length === 0) return [];
      ask(ids.map((id) => `info ${id}`));
      const sizes: number[] = [];
      for (const _ of ids) sizes.push((await head("blob")).bytes);
      return sizes;
    },
  };
}
