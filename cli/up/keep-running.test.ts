import { expect, test, vi } from "vitest";
import { type KeepOptions, keepRunning } from "./keep-running.ts";
import type { Running } from "./running.ts";

/** A process that the test ends as it likes. */
function script(): { started: { die(how: string): void }[]; start: () => Promise<Running> } {
  const started: { die(how: string): void }[] = [];
  const start = async (): Promise<Running> => {
    let die: (how: string) => void = () => {};
    const exited = new Promise<string>((resolve) => {
      die = resolve;
    });
    started.push({ die });
    return { exited, stop: async () => die("stopped") };
  };
  return { started, start };
}

function options(start: () => Promise<Running>, more: Pick<KeepOptions, "now"> = {}) {
  return {
    name: "runner",
    start,
    onDeath: vi.fn(),
    onBack: vi.fn(),
    onGivenUp: vi.fn(),
    pause: async () => {},
    ...more,
  };
}

test("a process that dies is started again, and both are said", async () => {
  const { started, start } = script();
  const told = options(start);
  const kept = await keepRunning(told);
  started[0]?.die("runner ended with SIGKILL");
  await vi.waitFor(() => expect(told.onBack).toHaveBeenCalledTimes(1));
  expect(told.onDeath).toHaveBeenCalledWith("runner ended with SIGKILL", 500);
  expect(started).toHaveLength(2);
  await kept.stop();
  expect(started).toHaveLength(2);
});

test("pauses grow while it dies in a row, and then it is given up", async () => {
  const { started, start } = script();
  const told = options(start);
  await keepRunning(told);
  for (let death = 0; death < 9; death += 1) {
    await vi.waitFor(() => expect(started.length).toBe(death + 1));
    started[death]?.die(`death ${death}`);
  }
  await vi.waitFor(() => expect(told.onGivenUp).toHaveBeenCalledWith("death 8"));
  const pauses = told.onDeath.mock.calls.map(([, pauseMs]) => pauseMs);
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("one that was up for long dies as if for the first time", async () => {
  const { started, start } = script();
  let now = 0;
  const told = options(start, { now: () => now });
  const kept = await keepRunning(told);
  for (let death = 0; death < 3; death += 1) {
    await vi.waitFor(() => expect(started.length).toBe(death + 1));
    now += 61_000;
    started[death]?.die("again");
  }
  await vi.waitFor(() => expect(told.onDeath).toHaveBeenCalledTimes(3));
  expect(told.onDeath.mock.calls.map(([, pauseMs]) => pauseMs)).toEqual([500, 500, 500]);
  await kept.stop();
});

test("a first start that fails is an error at once, not a death", async () => {
  const told = options(() => Promise.reject(new Error("no such file")));
  await expect(keepRunning(told)).rejects.toThrow("no such file");
  expect(told.onDeath).not.toHaveBeenCalled();
});

test("a stop in the middle of a new start ends the new process as well", async () => {
  const first = script();
  let finishStart: () => void = () => {};
  const stopped = vi.fn();
  let starts = 0;
  const start = async (): Promise<Running> => {
    starts += 1;
    if (starts === 1) return first.start();
    await new Promise<void>((resolve) => {
      finishStart = resolve;
    });
    return { exited: new Promise(() => {}), stop: async () => stopped() };
  };
  const kept = await keepRunning(options(start));
  first.started[0]?.die("gone");
  await vi.waitFor(() => expect(starts).toBe(2));
  const stop = kept.stop();
  finishStart();
  await stop;
  expect(stopped).toHaveBeenCalledTimes(1);
});
