import { expect, test } from "vitest";
import { withoutRepeats } from "./without-repeats.ts";

test("the same warning is said once a minute, another one at once", () => {
  const said: string[] = [];
  let now = 0;
  const say = withoutRepeats(
    (text) => said.push(text),
    () => now,
  );
  for (const [at, text] of [
    [0, "down"],
    [1_000, "down"],
    [2_000, "disk full"],
    [61_000, "down"],
  ] as const) {
    now = at;
    say(text);
  }
  expect(said).toEqual(["down", "disk full", "down"]);
});
