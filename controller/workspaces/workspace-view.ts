import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import type { WorkspaceView } from "#schemas/workspace-view";

/** What was asked for and what was seen, as the API tells it. Pure. */
export function workspaceView(
  user: string,
  request: WorkspaceRequest | undefined,
  observed: ObservedWorkspace | undefined,
): WorkspaceView {
  const seen = observed?.session === request?.session ? observed : undefined;
  return {
    user,
    state: seen?.state ?? (request?.state === "running" ? "queued" : "stopped"),
    since: seen?.since ?? request?.writtenAt ?? null,
    reason: seen?.reason ?? null,
    desired: request?.state ?? null,
    applied: observed?.generation === request?.generation,
    session: request?.session ?? null,
    requestedBy: request?.requestedBy ?? null,
    template: request?.template ?? null,
    image: request?.image ?? null,
    resources: request?.resources ?? null,
    idleStopAfterMs: request?.idleStopAfterMs ?? null,
    stages: (seen?.stages ?? []).map(({ name, startedAt, finishedAt }) => ({
      name,
      startedAt,
      tookMs: finishedAt === undefined ? null : Date.parse(finishedAt) - Date.parse(startedAt),
    })),
    behind: seen?.behind ?? null,
    services: seen?.services ?? [],
    workTree: seen?.workTree ?? null,
    disk: seen?.disk ?? null,
    lastActiveAt: seen?.lastActiveAt ?? null,
    stopsIdleAt: seen?.stopsIdleAt ?? null,
  };
}
