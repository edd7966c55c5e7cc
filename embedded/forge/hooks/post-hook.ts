import {
  type ClientRequest,
  type Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { HookTarget } from "../store/records.ts";

const timeoutMs = 10_000; // GitLab's webhook_timeout, for the whole exchange
const maxAnswerBytes = 8 * 1024; // what the event log keeps of an answer

export interface HookAnswer {
  /** `undefined` when no HTTP answer came. */
  status: number | undefined;
  error: string | undefined;
  headers: Record<string, string>;
  body: string;
  durationMs: number;
}

/** One POST, no redirects followed, no retry. Never throws. */
export function postHook(delivery: {
  hook: HookTarget;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  agents: { http: HttpAgent; https: HttpsAgent };
  signal: AbortSignal;
}): Promise<HookAnswer> {
  const { hook, headers, body, agents } = delivery;
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const finish = (answer: Partial<HookAnswer>) => {
      const durationMs = performance.now() - startedMs;
      resolve({ status: undefined, error: undefined, headers: {}, body: "", ...answer, durationMs });
    };
    const url = new URL(hook.url);
    url.username = "";
    url.password = "";
    const options = {
      method: "POST",
      headers: { ...headers, "Content-Length": String(body.length) },
      signal: AbortSignal.any([delivery.signal, AbortSignal.timeout(timeoutMs)]),
    };
    let outgoing: ClientRequest;
    try {
      outgoing =
        url.protocol === "https:"
          ? httpsRequest(url, { ...options, agent: agents.https, rejectUnauthorized: hook.verifyTls })
          : httpRequest(url, { ...options, agent: agents.http });
    } catch (error) {
      return finish({ error: error instanceof Error ? error.message : String(error) });
    }
    outgoing.on("error", (error: Error) =>
      finish({ error: error.name === "TimeoutError" ? "execution expired" : error.message }),
    );
    outgoing.on("response", (incoming) => readAnswer(incoming, finish));
    outgoing.end(body);
  });
}

function readAnswer(incoming: IncomingMessage, finish: (answer: Partial<HookAnswer>) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    if (bytes < maxAnswerBytes) chunks.push(chunk.subarray(0, maxAnswerBytes - bytes));
    bytes += chunk.length;
  });
  incoming.on("error", (error) => finish({ error: error.message }));
  incoming.on("end", () => {
    const headers = Object.entries(incoming.headers).map(([key, value]) => [key, String(value)] as const);
    finish({
      status: incoming.statusCode,
      headers: Object.fromEntries(headers),
      body: Buffer.concat(chunks).toString("utf8"),
    });
  });
}
