import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Flushes everything written below `path` to disk. Node.js has no `syncfs`; the `sync` of coreutils has, and one
 * call is many times faster than a flush per file.
 */
export async function syncFileSystem(path: string): Promise<void> {
  await run("sync", ["--file-system", "--", path], { env: { PATH: "/usr/local/bin:/usr/bin:/bin" } });
}
