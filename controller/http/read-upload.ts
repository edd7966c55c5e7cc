import type { Request, Response } from "express";
import multer from "multer";
import { ActionNeededError } from "#core/errors";
import { readBody } from "../intake/read-body.ts";
import { maxChangedFiles, maxUploadBytes, uploadTimeoutMs } from "../library/library-limits.ts";
import { readTar, tooManyFiles, type UploadedFile, uploadTooLarge } from "../library/read-tar.ts";
import { badRequest } from "./read-request.ts";

const maxFieldBytes = 64 * 1024; // names of executable files
const maxNameBytes = 2_048;
const maxTarBytes = maxUploadBytes + maxChangedFiles * 4_096; // headers and padding of each file

/** Whatever becomes of an upload, what is left of its body is read and dropped, so that the answer arrives. */
export async function drained<T>(request: Request, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } finally {
    request.unpipe();
    request.resume();
  }
}

/** The bytes of one file that is the whole body. */
export async function readFileBody(request: Request): Promise<Buffer> {
  return await readBody(request, { maxBytes: maxUploadBytes, timeoutMs: uploadTimeoutMs });
}

/**
 * Files sent as `application/x-tar`, or as `multipart/form-data` the way a form sends them: each part's file name is its
 * path, and a field `executable` names a file that is to be executable. Errors: `BODY_KIND_UNKNOWN`, `UPLOAD_TOO_LARGE`,
 * `UPLOAD_REFUSED`, `CHANGES_TOO_MANY`, `BODY_TOO_SLOW`.
 */
export async function readUpload(request: Request, response: Response): Promise<UploadedFile[]> {
  const kind = request.get("content-type") ?? "";
  if (/^application\/x-tar\b/i.test(kind)) {
    if (Number(request.get("content-length") ?? 0) > maxTarBytes) throw uploadTooLarge("the archive");
    return await readTar(request, AbortSignal.timeout(uploadTimeoutMs));
  }
  if (/^multipart\/form-data\b/i.test(kind)) return await readForm(request, response);
  throw new ActionNeededError("BODY_KIND_UNKNOWN", "An upload is a tar archive or a form", {
    hint: "send application/x-tar or multipart/form-data",
  });
}

async function readForm(request: Request, response: Response): Promise<UploadedFile[]> {
  let last = "the form";
  const read = multer({
    storage: multer.memoryStorage(),
    preservePath: true,
    defParamCharset: "utf8",
    limits: {
      fileSize: maxUploadBytes,
      files: maxChangedFiles,
      fields: maxChangedFiles,
      fieldSize: maxFieldBytes,
      fieldNameSize: maxNameBytes,
      parts: 2 * maxChangedFiles,
    },
    fileFilter: (_request, file, take) => {
      last = file.originalname;
      take(null, true);
    },
  }).any();
  let bytes = 0;
  let count: ((piece: Buffer) => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const tooSlow = new ActionNeededError("BODY_TOO_SLOW", "The upload took too long");
      timer = setTimeout(() => reject(tooSlow), uploadTimeoutMs);
      count = (piece) => {
        bytes += piece.length;
        if (bytes > maxTarBytes) reject(uploadTooLarge(last));
      };
      read(request, response, (error: unknown) => (error ? reject(error) : resolve()));
      request.on("data", count);
    });
  } catch (error) {
    if (error instanceof multer.MulterError && error.code === "LIMIT_FILE_SIZE") throw uploadTooLarge(last);
    if (error instanceof multer.MulterError && error.code.endsWith("COUNT")) throw tooManyFiles(last);
    if (error instanceof ActionNeededError) throw error;
    throw new ActionNeededError("UPLOAD_REFUSED", "The form cannot be read, or it broke off", {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    if (count) request.off("data", count);
  }
  return filesOf(request);
}

function filesOf(request: Request): UploadedFile[] {
  const parts = Array.isArray(request.files) ? request.files : [];
  const body = (request.body ?? {}) as Record<string, unknown>;
  const named = body["executable"];
  const executables = new Set<unknown>(Array.isArray(named) ? named : [named]);
  if (parts.length === 0) throw badRequest("the form has no file");
  let bytes = 0;
  for (const part of parts) {
    bytes += part.size;
    if (bytes > maxUploadBytes) throw uploadTooLarge(part.originalname);
  }
  return parts.map((part) => ({
    name: part.originalname,
    content: part.buffer,
    executable: executables.has(part.originalname) ? true : undefined,
  }));
}
