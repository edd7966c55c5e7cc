/** GitLab's words for how a job or pipeline stands. */
export type CiStatus =
  | "created"
  | "waiting_for_resource"
  | "pending"
  | "running"
  | "success"
  | "failed"
  | "canceling"
  | "canceled"
  | "skipped"
  | "manual"
  | "scheduled";

export const ciStatuses = [
  "created",
  "waiting_for_resource",
  "pending",
  "running",
  "success",
  "failed",
  "canceling",
  "canceled",
  "skipped",
  "manual",
  "scheduled",
] as const satisfies CiStatus[];

/** Nothing more happens by itself. */
export function isComplete(status: CiStatus): boolean {
  return ["success", "failed", "canceled", "skipped"].includes(status);
}

/** A runner has it, or is to get it. */
export function isActive(status: CiStatus): boolean {
  return ["waiting_for_resource", "pending", "running", "canceling"].includes(status);
}

export interface StatusPart {
  status: CiStatus;
  /** Its failure, or its not being started by hand, holds nobody up. */
  mayFail: boolean;
}

/**
 * One status for several jobs. `dag`: as the jobs of one `needs`, where one that does not run leaves nothing to build on. `undefined` for
 * none.
 */
export function compositeStatus(parts: readonly StatusPart[], { dag = false } = {}): CiStatus | undefined {
  if (parts.length === 0) return undefined;
  const seen = new Set(parts.map(wordOf));
  const only = (...words: string[]) => [...seen].every((word) => words.includes(word));
  const any = (...words: string[]) => words.some((word) => seen.has(word));
  const warned = "success with warnings";
  if (dag && any("skipped", "ignored")) return "skipped";
  if (only("skipped", "ignored")) return "skipped";
  if (only("success", "skipped", warned, "ignored")) return "success";
  if (only("created", warned, "ignored")) return "created";
  if (only("canceled", "success", "skipped", warned, "ignored")) return "canceled";
  if (any("canceling")) return "canceling";
  if (only("pending", "created", "skipped", warned, "ignored")) return "pending";
  if (any("running", "pending")) return "running";
  if (any("waiting_for_resource")) return "waiting_for_resource";
  if (any("manual")) return "manual";
  if (any("scheduled")) return "scheduled";
  return any("created") ? "running" : "failed";
}

function wordOf({ status, mayFail }: StatusPart): string {
  if (!mayFail) return status;
  if (status === "manual") return "ignored";
  return status === "failed" || status === "canceled" ? "success with warnings" : status;
}
