import { badRequest } from "../http/api-error.ts";
import type { StatusRecord, StatusState } from "./status-store.ts";

type From = StatusState | "created";

// Which states each of GitLab's events starts from.
const events: Readonly<Record<string, readonly From[]>> = {
  enqueue: ["created"],
  run: ["created", "pending"],
  success: ["created", "pending", "running"],
  drop: ["created", "pending", "running"],
  cancel: ["created", "pending", "running"],
  skip: ["created", "pending"],
};

const eventFor: Readonly<Record<StatusState, string>> = {
  pending: "enqueue",
  running: "run",
  success: "success",
  failed: "drop",
  canceled: "cancel",
  skipped: "skip",
};

/** What changes in a status that goes to another state; throws 400 where GitLab's state machine has no such way. */
export function transition(
  from: From,
  to: StatusState,
  now: string,
): Pick<StatusRecord, "status"> & Partial<Pick<StatusRecord, "startedAt" | "finishedAt">> {
  const event = eventFor[to];
  if (!events[event]?.includes(from)) {
    throw badRequest(
      `Cannot transition status via :${event} from :${from} (Reason(s): Status cannot transition via "${event}")`,
    );
  }
  if (to === "running") return { status: to, startedAt: now };
  return to === "pending" ? { status: to } : { status: to, finishedAt: now };
}
