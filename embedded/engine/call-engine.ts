import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { EngineAddress } from "./engine-address.ts";

export interface EngineCall {
  method: "GET" | "POST" | "DELETE";
  path: string;
  /** Sent as a tar archive. */
  body?: Readable;
  /** At most this long without a byte from the engine. */
  idleMs: number;
  /** Each line of the answer as it comes. */
  onLine?: (line: string) => void;
}

export interface EngineAnswer {
  status: number;
  text: string;
}

/**
 * One call of the engine's HTTP API, for the few that preparing a machine needs; the runner has its own client. Throws the system's
 * error (`ENOENT`, `ECONNREFUSED`, `EACCES`, `ETIMEDOUT`) when the engine does not answer.
 */
export function callEngine(address: EngineAddress, call: EngineCall): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const send = address.protocol === "https:" ? requestHttps : requestHttp;
    const request = send({
      ...address.request,
      method: call.method,
      path: call.path,
      timeout: call.idleMs,
      headers: { host: "engine", ...(call.body && { "content-type": "application/x-tar" }) },
    });
    request.once("timeout", () => {
      const error = new Error(`the engine at ${address.text} said nothing for ${call.idleMs / 1000} s`);
      request.destroy(Object.assign(error, { code: "ETIMEDOUT" }));
    });
    request.once("error", reject);
    request.once("response", (response) => {
      let text = "";
      response.once("error", reject);
      const lines = createInterface({ input: response });
      lines.on("line", (line) => {
        text += `${line}\n`;
        call.onLine?.(line);
      });
      lines.once("close", () => {
        if (response.complete) resolve({ status: response.statusCode ?? 0, text });
        else reject(new Error(`the engine at ${address.text} broke off in the middle of an answer`));
      });
    });
    if (call.body === undefined) {
      request.end();
    } else {
      call.body.once("error", (error) => request.destroy(error));
      call.body.pipe(request);
    }
  });
}
