import { expect, test } from "vitest";
import { OneAtATime } from "./one-at-a-time.ts";

test("whoever asks while it runs gets one more run, together with all others", async () => {
  const ends: (() => void)[] = [];
  let running = 0;
  const task = new OneAtATime(
    async () => {
      running += 1;
      expect(running).toBe(1);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
    },
    (error) => {
      throw error;
    },
  );
  const first = task.ask();
  const later = [task.ask(), task.ask(), task.ask()];
  ends[0]?.();
  await first;
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  await Promise.all(later);
  const again = task.ask();
  await expect.poll(() => ends.length).toBe(3);
  ends[2]?.();
  await again;
});

test("a run that fails is told, and the next one runs all the same", async () => {
  const told: unknown[] = [];
  let runs = 0;
  const task = new OneAtATime(
    async () => {
      runs += 1;
      throw new Error(`run ${runs}`);
    },
    (error) => void told.push(error),
  );
  await Promise.all([task.ask(), task.ask()]);
  await task.ask();
  expect(told.map(String)).toEqual(["Error: run 1", "Error: run 2", "Error: run 3"]);
});
