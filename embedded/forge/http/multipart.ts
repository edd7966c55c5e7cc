import type { NextFunction, Request, RequestHandler, Response } from "express";
import multer from "multer";
import { ApiError } from "./api-error.ts";

const maxFields = 10_000;
const maxNameBytes = 1_024;
const maxIndex = 1_000; // `a[1000]`: a larger number would only make a large empty list

/**
 * Reads `multipart/form-data` as other bodies are read: `a[]`, `h[k]` and `v[0][key]` become lists and hashes. Files are refused,
 * since nothing here takes one. `maxBytes` holds for the body as a whole.
 */
export function multipart(maxBytes: number): RequestHandler {
  const fieldNameSize = maxNameBytes;
  const limits = { fields: maxFields, fieldNameSize, fieldSize: maxBytes, fieldArrayIndexLimit: maxIndex };
  const read = multer({ limits }).none();
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!/^multipart\//i.test(request.get("content-type") ?? "")) {
      next();
      return;
    }
    let bytes = 0;
    let isOver = false;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes || isOver) return;
      isOver = true;
      request.off("data", count);
      request.unpipe();
      request.resume(); // what is left is read and dropped, so that the client can read the answer
      next(new ApiError(413, { message: "413 Request Entity Too Large" }));
    };
    read(request, response, (error: unknown) => {
      request.off("data", count);
      if (isOver) return;
      if (error === undefined) next();
      else next(new ApiError(400, { error: "The request could not be read" }));
    });
    request.on("data", count);
  };
}
