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
  ended?: { kind: "failed" | "idle" | "disk"; reason: string };
  /** Times its tools ended by themselves. */
  crashes: number;
  lastActiveMs?: number;
  /**
   * Kept beyond the session while its files take more than they may: what they took when a container was started with too much
   * last. It may go on with these, so that somebody can make room, and with no more.
   */
  diskHighBytes?: number;
  /** Times a container was started with more than that before. */
  diskOvers?: number;
  /** Shared projects that its container has mounted. */
  reads?: string[];
}

const maxStages = 100; // a workspace that crashes again and again repeats some

/** `before`: of the session before this one. */
export function freshMemory(session: number, before?: WorkspaceMemory): WorkspaceMemory {
  const { diskHighBytes, diskOvers } = before ?? {};
  return {
    ...{ session, stages: [], crashes: 0 },
    ...(diskHighBytes === undefined ? {} : { diskHighBytes }),
    ...(diskOvers === undefined ? {} : { diskOvers }),
  };
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

/** What the files of a workspace take, and may take. */
export interface DiskFact {
  usedBytes: number;
  limitBytes: number;
}

// What Git, a shell and an editor write while somebody makes room is no growth.
const diskSlackBytes = 16 * 1024 ** 2;

/** What its files may take now: more than the limit only while there is too much already. */
export function allowedBytes({ diskHighBytes }: WorkspaceMemory, { limitBytes }: DiskFact): number {
  return diskHighBytes === undefined ? limitBytes : Math.max(limitBytes, diskHighBytes + diskSlackBytes);
}

/** Measured now: once there is room, everything is as it was before. */
export function rememberDisk(memory: WorkspaceMemory, disk: DiskFact): WorkspaceMemory {
  if (disk.usedBytes > disk.limitBytes || memory.diskHighBytes === undefined) return memory;
  const { diskHighBytes: _high, diskOvers: _overs, ...rest } = memory;
  return rest;
}

/** A container is about to be made: files that have grown beyond what they may count, however that was done. */
export function rememberDiskStart(memory: WorkspaceMemory, disk: DiskFact): WorkspaceMemory {
  if (disk.usedBytes <= allowedBytes(memory, disk)) return memory;
  return { ...memory, diskHighBytes: disk.usedBytes, diskOvers: (memory.diskOvers ?? 0) + 1 };
}

export function rememberActive(memory: WorkspaceMemory, atMs: number): WorkspaceMemory {
  return atMs > (memory.lastActiveMs ?? 0) ? { ...memory, lastActiveMs: atMs } : memory;
}
