import { setTimeout as sleep } from "node:timers/promises";
import { allProcesses } from "./members.ts";
import type { RunState } from "./run-files.ts";

const pollMs = 20;

/** First process of a run's sandbox: the one that bubblewrap has started. */
export function sandboxPid({ command }: RunState): number | undefined {
  if (command === undefined) return undefined;
  return allProcesses().find(({ parent }) => parent === command.pid)?.pid;
}

/**
 * The same once the sandbox can be entered: its first process starts the command when everything is mounted. `undefined`
 * where that does not happen within `withinMs`.
 */
export async function readySandbox(state: RunState, withinMs: number): Promise<number | undefined> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const pid = sandboxPid(state);
    if (pid !== undefined && allProcesses().some(({ parent }) => parent === pid)) return pid;
    if (Date.now() >= deadline) return undefined;
    await sleep(pollMs);
  }
}
