import type { Response } from "express";

/** Answers with a file's bytes. As GitLab: never as a type that a browser would run, or a client parse. */
export function sendRaw(response: Response, content: Buffer, name: string): void {
  const isText = !content.includes(0);
  response.set("content-type", isText ? "text/plain; charset=utf-8" : "application/octet-stream");
  response.set("content-disposition", `inline; filename*=UTF-8''${encodeURIComponent(name)}`);
  response.set("x-content-type-options", "nosniff");
  response.send(content);
}
