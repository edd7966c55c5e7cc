import { TryLaterError } from "#core/errors";
import type { LogLine, Outcome } from "#schemas/run";
import type { ApiClient } from "./api-client.ts";
import { followEvents } from "./follow-events.ts";
import { runPath, type TwinName } from "./paths.ts";

export interface RunEnd {
  outcome: Outcome | null;
  exitCode: number | null;
  reason: string | null;
}

export interface FollowHooks {
  onLine: (line: LogLine) => void;
  onLost: () => void;
  signal: AbortSignal;
}

/** Hands on every line of a run's log, once, until it has ended. Resolves with how the run ended. */
export async function followRun(
  api: ApiClient,
  run: { twin: TwinName; id: string },
  hooks: FollowHooks,
): Promise<RunEnd> {
  return await followLog(api, `${runPath(run.twin, run.id)}/log`, hooks);
}

/** The same for the log at this path. */
export async function followLog(api: ApiClient, path: string, hooks: FollowHooks): Promise<RunEnd> {
  for await (const { event, data } of followEvents(api, path, hooks)) {
    if (event === "end") return JSON.parse(data) as RunEnd;
    hooks.onLine(JSON.parse(data) as LogLine);
  }
  throw new TryLaterError("the log ended before the run", { retryAfterMs: 1_000 });
}
