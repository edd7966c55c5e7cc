import { type Attempt, delayBeforeNextMs as delay, askedPauseMs as pause } from "../back-off.ts";

/** How long to wait before the next attempt: what GitLab's answer asks for counts, if there was one. */
export function delayBeforeNextMs(headers: Headers | undefined, attempt: Attempt): number {
  return delay(headers && askedPauseMs(headers, attempt.now), attempt);
}

/** The pause that GitLab asks for in an answer of any status; `undefined` when it asks for none. */
export function askedPauseMs(headers: Headers, now: number): number | undefined {
  return pause(headers, now, "ratelimit");
}
