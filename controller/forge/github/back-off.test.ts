import { expect, test } from "vitest";
import { delayBeforeNextMs } from "../back-off.ts";
import { askedPauseMs, limitPauseMs } from "./back-off.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const documentationUrl = "";

test("Retry-After counts first, then the time at which the primary limit is filled again", () => {
  const reset = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(now / 1_000 + 90) };
  expect(askedPauseMs(new Headers({ ...reset, "retry-after": "7" }), now)).toBe(7_000);
  expect(askedPauseMs(new Headers(reset), now)).toBe(90_000);
  expect(askedPauseMs(new Headers({ ...reset, "x-ratelimit-remaining": "1" }), now)).toBeUndefined();
  expect(askedPauseMs(new Headers({ "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }), now)).toBe(60_000);
});

test("a refusal is a limit when it says so; without a time it is a minute", () => {
  const headers = new Headers();
  const page =
    "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";
  expect(limitPauseMs({ status: 403, headers, documentationUrl }, now)).toBeUndefined();
  expect(limitPauseMs({ status: 403, headers, documentationUrl: page }, now)).toBe(60_000);
  expect(limitPauseMs({ status: 429, headers, documentationUrl }, now)).toBe(60_000);
});

test("where nothing is asked for, the delay doubles up to eight seconds", () => {
  const delay = (number: number) => delayBeforeNextMs(undefined, { number, now, random: 1 });
  expect([delay(0), delay(1), delay(9)]).toEqual([250, 500, 8_000]);
});
