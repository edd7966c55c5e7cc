import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Wakes } from "./wakes.ts";

const yearMs = 365 * 24 * 3600 * 1000;
let woken: string[];
let wakes: Wakes;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-06-01T00:00:00Z") });
  woken = [];
  wakes = new Wakes((user) => void woken.push(user));
});
afterEach(() => {
  wakes.close();
  vi.useRealTimers();
});

test("the earliest of several wishes of a user counts", () => {
  wakes.at("user1", Date.now() + 5_000);
  wakes.at("user1", Date.now() + 1_000);
  wakes.at("user1", Date.now() + 3_000);
  vi.advanceTimersByTime(1_000);
  expect(woken).toEqual(["user1"]);
  vi.advanceTimersByTime(10_000);
  expect(woken).toEqual(["user1"]);
});

test("a clock that was set back by years does not make it wake all the time", () => {
  const setTimeout = vi.spyOn(globalThis, "setTimeout");
  wakes.at("user1", Date.now() + 10 * yearMs);
  // Node.js takes a longer delay for one millisecond.
  expect(setTimeout.mock.calls.map(([, delayMs]) => delayMs)).toEqual([expect.any(Number)]);
  for (const [, delayMs] of setTimeout.mock.calls) expect(delayMs).toBeLessThan(2 ** 31);
});

test("a clock that was set ahead wakes at the latest when the wish was due", () => {
  wakes.at("user1", Date.now() + 2_000);
  vi.setSystemTime(Date.now() + yearMs);
  vi.advanceTimersByTime(2_000);
  expect(woken).toEqual(["user1"]);
});
