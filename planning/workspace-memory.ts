import type { WorkspaceStage, WorkspaceState } from "#schemas/workspace-state";

/**
 * What has to be remembered about a workspace beyond what the engine shows. Kept on disk by the runner; changed by the
 * pure functions of this file only, each of which may be applied twice.
 */
export interface WorkspaceMemory {
  /** Everything below is of this session. */
  session: number;
  stages: WorkspaceStage[];
  /** It is over without anybody having stopped it. */
  ended?: { kind: "failed" | "idle"; reason: string };
  /** Times its tools ended by themselves. */
  crashes: number;
  lastActiveMs?: number;
  /** Shared projects that its container has mounted. */
  reads?: string[];
}

const maxStages = 100; // a workspace that crashes again and again repeats some

export function freshMemory(session: number): WorkspaceMemory {
  return { session, stages: [], crashes: 0 };
}

/** The one stage that lasts becomes `name`; nothing changes when it is that already. */
export function enterStage(memory: WorkspaceMemory, name: WorkspaceState, nowMs: number): WorkspaceMemory {
  const last = memory.stages.at(-1);
  if (last?.name === name) return memory;
  const now = new Date(nowMs).toISOString();
  const closed = memory.stages.map((stage) =>
    stage === last && stage.finishedAt === undefined ? { ...stage, finishedAt: now } : stage,
  );
  return { ...memory, stages: [...closed, { name, startedAt: now }].slice(-maxStages) };
}

/** When the stage that lasts began. */
export function stageStartedMs(memory: WorkspaceMemory, name: WorkspaceState): number | undefined {
  const last = memory.stages.at(-1);
  return last?.name === name ? Date.parse(last.startedAt) : undefined;
}

/** Keeps the first end. */
export function rememberSessionEnd(
  memory: WorkspaceMemory,
  ended: NonNullable<WorkspaceMemory["ended"]>,
): WorkspaceMemory {
  return memory.ended ? memory : { ...memory, ended };
}

export function rememberActive(memory: WorkspaceMemory, atMs: number): WorkspaceMemory {
  return atMs > (memory.lastActiveMs ?? 0) ? { ...memory, lastActiveMs: atMs } : memory;
}
