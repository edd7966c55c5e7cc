import { askedPauseMs as pause } from "../back-off.ts";

const withoutWordMs = 60_000; // what GitHub asks for when it names no time for its secondary limits

/** The pause that GitHub asks for in an answer of any status; `undefined` when it asks for none. */
export function askedPauseMs(headers: Headers, now: number): number | undefined {
  return pause(headers, now, "x-ratelimit");
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
