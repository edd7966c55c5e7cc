import { setTimeout as delay } from "node:timers/promises";
import { isSystemError } from "#core/errors";
import { isAlive, type ProcessIdentity } from "#core/process-identity";

const pollMs = 25;

/**
 * Ends exactly this process: a polite signal, then after `graceMs` the forced one. Resolves once it is gone;
 * `false` when it was gone already.
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<boolean> {
  if (!isAlive(identity)) return false;
  signal(identity.pid, "SIGTERM");
  if (await isGone(identity, graceMs)) return true;
  signal(identity.pid, "SIGKILL");
  await isGone(identity, 5_000); // a process in the kernel's hands may take this long
  return true;
}

async function isGone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}
