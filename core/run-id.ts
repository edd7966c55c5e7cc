import { createHash, randomBytes } from "node:crypto";

/** A new run id: `r`, nine characters that sort by time (milliseconds, base 36), eight random ones. */
export function newRunId(nowMs: number = Date.now()): string {
  return runId(nowMs, randomBytes(6));
}

/** The id of the run that belongs to this time and no other: the same time and words give the same id. */
export function runIdAt(atMs: number, ...words: string[]): string {
  return runId(atMs, createHash("sha256").update(JSON.stringify(words)).digest().subarray(0, 6));
}

function runId(atMs: number, rest: Buffer): string {
  const tail = BigInt(`0x${rest.toString("hex")}`)
    .toString(36)
    .padStart(8, "0")
    .slice(-8);
  return `r${atMs.toString(36).padStart(9, "0")}${tail}`;
}

/** The form of every run id; anything else never reaches a path. */
export const runIdPattern = /^r[0-9a-z]{17}$/;
