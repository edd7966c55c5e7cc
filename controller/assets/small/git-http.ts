import http from "node:http";
import https from "node:https";
import type { GitHttpRequest, GitHttpResponse, HttpClient } from "isomorphic-git";

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 32, timeout: 30_000 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 32, timeout: 30_000 }),
};

/**
 * How isomorphic-git talks to a Git host: connections are kept, redirects are not followed (a header with a token
 * must not travel to another host), an answer that is longer than `maxBytes` or comes after the signal is an error.
 */
export function gitHttp(options: { maxBytes: number; signal: AbortSignal }): HttpClient {
  return { request: (call) => request(call, options) };
}

async function request(
  call: GitHttpRequest,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<GitHttpResponse> {
  const body: Uint8Array[] = [];
  for await (const piece of call.body ?? []) body.push(piece);
  const url = new URL(call.url);
  const { method = "GET", headers = {} } = call;
  const secure = url.protocol === "https:";
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const asked = (secure ? https : http).request(url, {
      method,
      headers,
      signal,
      agent: agents[secure ? "https:" : "http:"],
    });
    asked.once("response", resolve).once("error", reject).end(Buffer.concat(body));
  });
  return {
    url: call.url,
    method,
    headers: answer.headers as Record<string, string>,
    statusCode: answer.statusCode ?? 0,
    statusMessage: answer.statusMessage ?? "",
    body: bounded(answer, maxBytes),
  };
}

async function* bounded(answer: http.IncomingMessage, maxBytes: number): AsyncIterableIterator<Uint8Array> {
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`); // closes the connection
    yield piece;
  }
}
