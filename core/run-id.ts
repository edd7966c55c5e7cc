import { randomBytes } from "node:crypto";

/** A new run id: `r`, nine characters that sort by time (milliseconds, base 36), eight random ones. */
export function newRunId(nowMs: number = Date.now()): string {
  const random = BigInt(`0x${randomBytes(6).toString("hex")}`)
    .toString(36)
    .padStart(8, "0")
    .slice(-8);
  return `r${nowMs.toString(36).padStart(9, "0")}${random}`;
}

/** The form of every run id; anything else never reaches a path. */
export const runIdPattern = /^r[0-9a-z]{17}$/;
