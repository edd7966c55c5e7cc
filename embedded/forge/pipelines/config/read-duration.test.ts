import { expect, test } from "vitest";
import { readDuration } from "./read-duration.ts";

test.each([
  ["5 minutes", 300_000],
  ["1h 30m", 5_400_000],
  ["3 mins 4 sec", 184_000],
  ["1 week and 2 days", 9 * 86_400_000],
  ["1 month", 30 * 86_400_000],
  ["90", 90_000],
  [90, 90_000],
  ["1 day", 86_400_000],
  ["1.5 hours", 5_400_000],
])("%s", (text, ms) => {
  expect(readDuration(text)).toBe(ms);
});

test.each(["never", "", "soon", "5 parsecs", undefined, -1, {}])("%s is no time", (text) => {
  expect(readDuration(text)).toBeUndefined();
});
