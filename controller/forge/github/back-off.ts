const firstDelayMs = 250;
const maxDelayMs = 8_000;
const withoutWordMs = 60_000; // what GitHub asks for when it names no time for its secondary limits

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
 * The pause that GitHub asks for in an answer of any status; `undefined` when it asks for none. `Retry-After` counts first; when
 * nothing is left of the primary limit, the time at which it is filled again.
 */
export function askedPauseMs(headers: Headers, now: number): number | undefined {
  const retryAfter = headers.get("retry-after");
  if (retryAfter !== null) {
    const seconds = Number(retryAfter);
    const until = Number.isNaN(seconds) ? Date.parse(retryAfter) : now + seconds * 1_000;
    if (!Number.isNaN(until)) return Math.max(until - now, 0);
  }
  const reset = Number(headers.get("x-ratelimit-reset"));
  if (headers.get("x-ratelimit-remaining") === "0" && reset > 0) return Math.max(reset * 1_000 - now, 0);
  return undefined;
}

/**
 * The same for a refusal, 403 or 429. GitHub refuses what is forbidden with 403 as well; without a word about time, only the page
 * that it points to tells a secondary limit from that.
 */
export function limitPauseMs(
  refused: { status: number; headers: Headers; documentationUrl: string },
  now: number,
): number | undefined {
  const asked = askedPauseMs(refused.headers, now);
  if (asked !== undefined) return asked;
  return refused.status === 429 || /#.*rate-limit/.test(refused.documentationUrl) ? withoutWordMs : undefined;
}
