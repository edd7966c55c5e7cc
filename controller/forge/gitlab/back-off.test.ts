import fc from "fast-check";
import { expect, test } from "vitest";
import { delayBeforeNextMs } from "./back-off.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const first = { number: 0, now, random: 0 };

test("a pause that GitLab asks for in seconds or as a date is kept", () => {
  expect(delayBeforeNextMs(new Headers({ "retry-after": "7" }), first)).toBe(7_000);
  const date = new Headers({ "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" });
  expect(delayBeforeNextMs(date, first)).toBe(9_000);
});

test("when nothing is left of the rate limit, the pause lasts until it is filled again", () => {
  const headers = new Headers({ "ratelimit-remaining": "0", "ratelimit-reset": String(now / 1_000 + 12) });
  expect(delayBeforeNextMs(headers, first)).toBe(12_000);
  headers.set("ratelimit-remaining", "3");
  expect(delayBeforeNextMs(headers, first)).toBeLessThan(1_000);
});

test("without a hint the delay grows, is bounded and differs between callers", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.double({ min: 0, max: 0.999, noNaN: true }), (number, random) => {
      const delay = delayBeforeNextMs(undefined, { number, now, random });
      expect(delay).toBeGreaterThanOrEqual(Math.min(250 * 2 ** number, 8_000) / 2);
      expect(delay).toBeLessThanOrEqual(8_000);
    }),
  );
  const calm = delayBeforeNextMs(undefined, { number: 3, now, random: 0.1 });
  expect(delayBeforeNextMs(undefined, { number: 3, now, random: 0.9 })).toBeGreaterThan(calm);
});

test("nonsense in the headers is no pause", () => {
  for (const value of ["soon", "", "-5", "NaN"]) {
    const delay = delayBeforeNextMs(new Headers({ "retry-after": value }), first);
    expect(delay).toBeGreaterThanOrEqual(0);
    expect(delay).toBeLessThanOrEqual(250);
  }
});
