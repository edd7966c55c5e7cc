import { readFileSync } from "node:fs";
import { isSystemError } from "./errors.ts";

/** A process that cannot be mistaken for a later one that got the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot at which it started; absent where the system has no /proc. */
  startTicks?: number;
}

/** Who this number belongs to right now; `undefined` where no such process lives. A zombie does not live. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before may hold blanks
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { pid, startTicks: Number(fields[19]) };
  } catch (error) {
    if (isSystemError(error, "ENOENT") && hasProc()) return undefined;
    if (isSystemError(error, "ESRCH")) return undefined;
    return answersSignals(pid) ? { pid } : undefined;
  }
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  if (now === undefined) return false;
  if (now.startTicks === undefined || identity.startTicks === undefined) return true;
  return now.startTicks === identity.startTicks;
}

/** The identity in parsed JSON, or `undefined` when it is something else. */
export function toProcessIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { pid, startTicks } = value as { pid?: unknown; startTicks?: unknown };
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 1) return undefined;
  return typeof startTicks === "number" ? { pid, startTicks } : { pid };
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isSystemError(error, "EPERM");
  }
}

function hasProc(): boolean {
  try {
    return readFileSync("/proc/self/stat").length > 0;
  } catch {
    return false;
  }
}
