import type { IncomingMessage } from "node:http";
import { ActionNeededError } from "#core/errors";

/**
 * The bytes of a request, at most `maxBytes` of them and within `timeoutMs`, whatever the sender's pace. Throws
 * `ActionNeededError`: `BODY_TOO_LARGE` (before reading, when the length is announced), `BODY_TOO_SLOW`, `BAD_REQUEST`
 * when the sender went away. Afterwards the rest is not read: the caller closes the connection.
 */
export function readBody(
  request: IncomingMessage,
  limits: { maxBytes: number; timeoutMs: number },
): Promise<Buffer> {
  const tooLarge = () =>
    new ActionNeededError("BODY_TOO_LARGE", `The body has more than ${limits.maxBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > limits.maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (error?: Error) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      if (error === undefined) return resolve(Buffer.concat(chunks, bytes));
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.maxBytes) end(tooLarge());
      else chunks.push(chunk);
    };
    const onEnd = () => end();
    const onBroken = () => end(new ActionNeededError("BAD_REQUEST", "The sender went away in the middle"));
    const timer = setTimeout(
      () => end(new ActionNeededError("BODY_TOO_SLOW", `The body took longer than ${limits.timeoutMs} ms`)),
      limits.timeoutMs,
    );
    request.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  });
}
