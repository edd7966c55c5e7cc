import { TryLaterError } from "#core/errors";

const maxKeysBytes = 256 * 1024; // a key set has two or three keys of 1 KiB
const failedForMs = 5_000; // a host that is away is not asked for each token

type FetchKeys = (
  url: string,
  options: { headers: Headers; method: "GET"; redirect: "manual"; signal: AbortSignal },
) => Promise<Response>;

/** A `fetch` for public keys: no redirects, a limited answer, and a pause after a failure. */
export function fetchKeys(nowMs: () => number = () => performance.now()): FetchKeys {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  return async (url, options) => {
    if (nowMs() - failedAtMs < failedForMs) {
      throw new TryLaterError("the keys of the Git host's ID tokens could not be read a moment ago", {
        retryAfterMs: failedForMs,
      });
    }
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`the answer is ${response.status}`);
      const bytes = await readAtMost(response, maxKeysBytes);
      JSON.parse(Buffer.from(bytes).toString("utf8")); // a page of a proxy is a failure, too
      return new Response(bytes, { status: 200, headers: { "content-type": "application/json" } });
    } catch (error) {
      failedAtMs = nowMs();
      throw error;
    }
  };
}

async function readAtMost(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
