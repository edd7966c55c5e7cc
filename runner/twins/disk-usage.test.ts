import { expect, test } from "vitest";
import { DiskUsage } from "./disk-usage.ts";

test("what was measured while a layer was emptied is not believed: it is measured again", async () => {
  const answers: ((bytes: number) => void)[] = [];
  const disk = new DiskUsage({ usage: () => new Promise((resolve) => answers.push(resolve)) });
  const measured = disk.again("tank");
  disk.forget("tank");
  answers.shift()?.(9_000_000);
  await expect.poll(() => answers.length).toBe(1);
  answers.shift()?.(0);
  expect(await measured).toBe(0);
  expect(await disk.of("tank")).toBe(0);
});
