import { dirname } from "node:path";
import type { PromiseFsClient } from "isomorphic-git";

// One for all: isomorphic-git looks for every object in places where it is not.
const notThere = Object.assign(new Error("not there"), { code: "ENOENT" });

/**
 * Files by full path as a disk for isomorphic-git: there is nothing else, and what is written is only handed to `onWrite`,
 * where one is given.
 */
export function memoryDisk(
  files: ReadonlyMap<string, Buffer>,
  onWrite?: (path: string, content: Buffer) => void,
): PromiseFsClient {
  const missing = (): Promise<never> => Promise.reject(notThere);
  const nothing = async () => undefined;
  const promises = {
    readFile: async (path: string, options?: unknown) => {
      const content = files.get(path) ?? (await missing());
      return isText(options) ? content.toString("utf8") : content;
    },
    readdir: async (folder: string) => {
      const names = [...files.keys()].filter((path) => dirname(path) === folder);
      return names.length > 0 ? names.map((path) => path.slice(folder.length + 1)) : await missing();
    },
    writeFile: async (path: string, content: Uint8Array | string) => {
      onWrite?.(path, Buffer.from(content as Uint8Array));
    },
    ...{ stat: missing, lstat: missing, readlink: missing },
    ...{ mkdir: nothing, rmdir: nothing, unlink: nothing, symlink: nothing },
  };
  return { promises };
}

function isText(options: unknown): boolean {
  const encoding =
    typeof options === "string" ? options : (options as { encoding?: string } | undefined)?.encoding;
  return encoding === "utf8";
}
