import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { identifyProcess, isAlive, toProcessIdentity } from "#core/process-identity";
import { endProcess } from "./end-process.ts";

test("a process is alive only as itself: the same number with another start is somebody else", () => {
  const me = identifyProcess(process.pid);
  expect(me && isAlive(me)).toBe(true);
  expect(isAlive({ pid: process.pid, startTicks: 1 })).toBe(false);
});

test("a process that ignores the polite signal is ended by force", async () => {
  const stubborn = spawn("sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]);
  await new Promise((resolve) => stubborn.stdout.once("data", resolve));
  const identity = identifyProcess(stubborn.pid ?? 0);
  expect(identity).toBeDefined();
  if (identity === undefined) return;
  expect(await endProcess(identity, 200)).toBe(true);
  expect(isAlive(identity)).toBe(false);
  expect(await endProcess(identity, 200)).toBe(false);
});

test("what is no process identity is not taken for one", () => {
  for (const value of [null, "12", {}, { pid: 0 }, { pid: 1.5 }, { pid: 1 }])
    expect(toProcessIdentity(value)).toBeUndefined();
});
