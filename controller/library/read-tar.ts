import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { ActionNeededError } from "#core/errors";
import { maxChangedFiles, maxUploadBytes } from "./library-limits.ts";

/** A file that somebody sends; its name may have folders in it. */
export interface UploadedFile {
  name: string;
  content: Uint8Array;
  /** `undefined`: not said, so that a file that is there keeps what it has. */
  executable: boolean | undefined;
}

/**
 * The files of a tar stream. Folders are taken from the names of what lies in them. Anything else than files and folders, and
 * more than the limits, is refused by name: `UPLOAD_REFUSED`, `UPLOAD_TOO_LARGE`, `CHANGES_TOO_MANY`.
 */
export async function readTar(stream: Readable, signal: AbortSignal): Promise<UploadedFile[]> {
  const files: UploadedFile[] = [];
  let bytes = 0;
  const tar = extract();
  tar.on("entry", (header, entry, next) => {
    const name = header.name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
    const refuse = (error: ActionNeededError) => {
      entry.resume();
      next(error);
    };
    if (header.type === "directory") {
      entry.resume();
      entry.on("end", () => next());
      return;
    }
    if (header.type !== "file" && header.type !== "contiguous-file") {
      const message = `${JSON.stringify(name)} is a ${header.type}; only files and folders are taken`;
      refuse(new ActionNeededError("UPLOAD_REFUSED", message, { where: { file: name } }));
      return;
    }
    bytes += header.size ?? 0;
    if (bytes > maxUploadBytes) return refuse(uploadTooLarge(name));
    if (files.length >= maxChangedFiles) return refuse(tooManyFiles(name));
    const pieces: Buffer[] = [];
    entry.on("data", (piece) => pieces.push(piece as Buffer));
    entry.on("error", (error) => next(error));
    entry.on("end", () => {
      files.push({ name, content: Buffer.concat(pieces), executable: ((header.mode ?? 0) & 0o100) !== 0 });
      next();
    });
  });
  try {
    await pipeline(stream, tar, { signal });
  } catch (error) {
    if (error instanceof ActionNeededError) throw error;
    if (signal.aborted) {
      throw new ActionNeededError("BODY_TOO_SLOW", "The upload took too long", { cause: error });
    }
    throw new ActionNeededError("UPLOAD_REFUSED", "The upload is no tar archive, or it broke off", {
      cause: error,
    });
  }
  return files;
}

export function uploadTooLarge(name: string): ActionNeededError {
  const mebibytes = maxUploadBytes / 1024 / 1024;
  return new ActionNeededError(
    "UPLOAD_TOO_LARGE",
    `One upload may have ${mebibytes} MiB; ${JSON.stringify(name)} goes beyond that`,
    { where: { file: name }, hint: "Upload it in parts, or push it with git." },
  );
}

export function tooManyFiles(name: string): ActionNeededError {
  return new ActionNeededError(
    "CHANGES_TOO_MANY",
    `One upload may have ${maxChangedFiles} files; ${JSON.stringify(name)} goes beyond that`,
    { where: { file: name }, hint: "Upload them in parts, or push them with git." },
  );
}
