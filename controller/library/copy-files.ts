import { ActionNeededError } from "#core/errors";
import type { GitReader } from "../assets/git-reader.ts";
import { maxChangedFiles, maxUploadBytes } from "./library-limits.ts";
import type { Change } from "./plan-changes.ts";
import { tooManyFiles, uploadTooLarge } from "./read-tar.ts";

/**
 * Writes that make a file or folder of one repository in another: every byte and every executable bit. Errors:
 * `FILE_NOT_FOUND`, `FILE_NOT_REGULAR` for links, and the limits of an upload.
 */
export async function copyFiles(reader: GitReader | undefined, from: string, to: string): Promise<Change[]> {
  const there = reader?.listed(from);
  if (!reader || !there) {
    throw new ActionNeededError("FILE_NOT_FOUND", `there is no ${from} to copy`, { where: { file: from } });
  }
  const files =
    there.kind === "folder"
      ? reader.entries.filter(({ kind, path }) => kind !== "folder" && path.startsWith(`${from}/`))
      : [there];
  let bytes = 0;
  for (const [index, file] of files.entries()) {
    if (file.kind !== "file") {
      throw new ActionNeededError("FILE_NOT_REGULAR", `${file.path} is a link or a submodule`, {
        where: { file: file.path },
        hint: "Copy what it points to, or use git.",
      });
    }
    bytes += file.bytes;
    if (bytes > maxUploadBytes) throw uploadTooLarge(file.path);
    if (index >= maxChangedFiles) throw tooManyFiles(file.path);
  }
  const paths = files.map(({ path }) => path);
  const contents = await reader.readAll(paths, maxUploadBytes);
  return files.map(({ path, executable }) => ({
    action: "write",
    path: `${to}${path.slice(from.length)}`,
    content: contents.get(path) ?? new Uint8Array(),
    executable,
  }));
}
