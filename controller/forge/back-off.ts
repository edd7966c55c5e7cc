const firstDelayMs = 250;
const maxDelayMs = 8_000;

export interface Attempt {
  /** 0 for the first one. */
  number: number;
  /** Milliseconds since 1970. */
  now: number;
  /** In [0, 1): spreads callers that failed together. */
  random: number;
}

/** How long to wait before the next attempt: what the host asks for, else a delay that doubles up to eight seconds, with jitter. */
export function delayBeforeNextMs(asked: number | undefined, attempt: Attempt): number {
  if (asked !== undefined) return asked + attempt.random * firstDelayMs;
  const delay = Math.min(firstDelayMs * 2 ** attempt.number, maxDelayMs);
  return delay / 2 + (attempt.random * delay) / 2;
}

/**
 * The pause that a host asks for in an answer of any status; `undefined` when it asks for none. `Retry-After` (RFC 9110, seconds or a
 * date) counts first; when nothing is left of its limit, the time at which that is filled again. `limit`: how its headers begin.
 */
export function askedPauseMs(
  headers: Headers,
  now: number,
  limit: "ratelimit" | "x-ratelimit",
): number | undefined {
  const retryAfter = headers.get("retry-after");
  if (retryAfter !== null) {
    const seconds = Number(retryAfter);
    const until = Number.isNaN(seconds) ? Date.parse(retryAfter) : now + seconds * 1_000;
    if (!Number.isNaN(until)) return Math.max(until - now, 0);
  }
  const reset = Number(headers.get(`${limit}-reset`));
  if (headers.get(`${limit}-remaining`) === "0" && reset > 0) return Math.max(reset * 1_000 - now, 0);
  return undefined;
}
