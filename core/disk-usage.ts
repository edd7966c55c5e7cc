import { execFile } from "node:child_process";
import { TryLaterError } from "./errors.ts";

const deadlineMs = 60_000; // for millions of small files

/**
 * Bytes on disk that a folder takes with everything below it, as the file system counts them; links are not followed and
 * other file systems left out. 0 for what is not there. `TryLaterError` when it takes longer than a minute.
 */
export function diskUsage(folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { timeout: deadlineMs, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } };
    execFile("du", ["-s", "-x", "-B1", "--", folder], options, (error, stdout) => {
      // Files that go while it counts make it end with 1 and a total all the same.
      const bytes = Number.parseInt(stdout, 10);
      if (!Number.isNaN(bytes)) resolve(bytes);
      else if (error?.killed)
        reject(new TryLaterError(`${folder} takes too long to measure`, { retryAfterMs: 60_000 }));
      else resolve(0);
    });
  });
}
