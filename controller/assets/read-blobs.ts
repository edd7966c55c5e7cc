import { ByteSource } from "./byte-source.ts";
import { endGit, GitFailed, type GitOptions, startGit } from "./run-git.ts";

/** One blob while it passes by: take it with exactly one of the two. */
export interface PassingBlob {
  bytes: number;
  all(): Promise<Buffer>;
  /** Hands over the content in pieces; waits for each to be taken. */
  pieces(take: (piece: Buffer) => Promise<void>): Promise<void>;
}

/**
 * Streams blobs by id through one `git cat-file --batch`, in the given order. Nothing but the blob at hand is kept in
 * memory. `GitFailed` when an object is missing or no blob.
 */
export async function readBlobs(
  repository: { git: GitOptions; gitDir: string },
  ids: readonly string[],
  take: (id: string, blob: PassingBlob) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  const child = startGit(repository.git, {
    gitDir: repository.gitDir,
    args: ["cat-file", "--batch", "--buffer"],
  });
  const stop = () => endGit(child);
  signal.addEventListener("abort", stop, { once: true });
  child.on("error", () => {}); // seen below as the end of output
  child.stdin.on("error", () => {});
  child.stderr.resume();
  child.stdin.end(`${ids.join("\n")}\n`);
  const source = new ByteSource(child.stdout as AsyncIterable<Buffer>);
  try {
    for (const id of ids) {
      const [foundId, type, size] = (await source.line()).split(" ");
      if (foundId !== id || type !== "blob") throw new GitFailed(`the object ${id} is missing`, "exit");
      const bytes = Number(size);
      let taken = false;
      await take(id, {
        bytes,
        all: async () => {
          taken = true;
          return Buffer.concat(await source.collect(bytes), bytes);
        },
        pieces: async (piece) => {
          taken = true;
          await source.forward(bytes, piece);
        },
      });
      if (!taken) await source.forward(bytes, async () => {});
      await source.collect(1); // the line feed after each object
    }
  } catch (error) {
    if (signal.aborted) throw new GitFailed("reading blobs took too long or was aborted", "aborted");
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    if (child.exitCode === null) endGit(child);
  }
}
