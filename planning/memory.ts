import type { DesiredTwin } from "#schemas/desired-state";
import type { Outcome, RunCause } from "#schemas/run";

/**
 * What has to be remembered about a twin beyond what the engine's labels show. Kept on disk by the runner; all
 * changes are made by the pure functions of this file, each of which may be applied twice.
 */
export interface TwinMemory {
  /** Runs that have a manifest and no outcome yet. */
  open: Record<string, OpenRun>;
  /** By restart key; only keys still of interest are kept. */
  keys: Record<string, KeyMemory>;
  /** The source that was healthy last. */
  lastGood?: { key: string; source: DesiredTwin };
  /** The desired source was tried and did not become healthy in time. */
  refused?: { key: string; revision: string; reason: string };
  /** The execution whose `terminate` has been run already. */
  terminated?: string;
}

export interface OpenRun {
  operation: string;
  cause: RunCause;
  key: string;
  attempt: number;
  timeoutMs?: number;
  graceMs: number;
  /** Set once its container was started; absent: a crash came between writing the manifest and starting. */
  started: boolean;
  containerId?: string;
  /** It has been healthy; it stays so for a runner that was restarted until a check says otherwise. */
  healthy?: boolean;
  /** For `terminate`: the execution it ends. */
  forRun?: string;
  /** Projects whose shared assets its container sees. */
  reads?: string[];
  /** `terminate` was begun for it by the platform: that it ends, however well, is no completion. */
  retiring?: boolean;
}

export interface KeyMemory {
  created: boolean;
  createAttempts: number;
  createFailures: number;
  /** Executions that have ended. */
  attempts: number;
  /** Failed executions since the last one that had been healthy for a while. */
  failuresInRow: number;
  lastEndedAtMs?: number;
  lastReason?: string;
  /** A one-off that ended well: nothing left to do. */
  completed: boolean;
  wasHealthy: boolean;
  /** When the first execution began; the rollout's deadline counts from here. */
  firstStartedAtMs?: number;
}

// An execution that lasted this long starts a new count of failures.
const steadyAfterMs = 10_000;

export const emptyMemory: TwinMemory = { open: {}, keys: {} };

export const freshKey: KeyMemory = {
  created: false,
  createAttempts: 0,
  createFailures: 0,
  attempts: 0,
  failuresInRow: 0,
  completed: false,
  wasHealthy: false,
};

export function keyMemory(memory: TwinMemory, key: string): KeyMemory {
  return memory.keys[key] ?? freshKey;
}

/** Is this run one the platform made to reach the desired state, rather than one that somebody asked for? */
export function isManaged(cause: RunCause): boolean {
  return cause === "state" || cause === "restart" || cause === "return-to-last-good";
}

export function rememberOpen(memory: TwinMemory, runId: string, run: OpenRun): TwinMemory {
  const open = { ...memory.open, [runId]: { ...memory.open[runId], ...run } };
  const retired = run.cause === "removal" && run.forRun !== undefined ? open[run.forRun] : undefined;
  if (retired && run.forRun !== undefined) open[run.forRun] = { ...retired, retiring: true };
  return { ...memory, open };
}

export function rememberStarted(
  memory: TwinMemory,
  runId: string,
  containerId: string,
  nowMs: number,
): TwinMemory {
  const run = memory.open[runId];
  if (!run) return memory;
  const next = { ...memory, open: { ...memory.open, [runId]: { ...run, started: true, containerId } } };
  if (run.operation !== "execute" || !isManaged(run.cause)) return next;
  const before = keyMemory(memory, run.key);
  return withKey(next, run.key, { ...before, firstStartedAtMs: before.firstStartedAtMs ?? nowMs });
}

/** Called once the outcome is on disk. `lastedMs`: from start to end. */
export function rememberEnded(
  memory: TwinMemory,
  runId: string,
  end: { outcome: Outcome; reason: string | undefined; lastedMs: number; nowMs: number },
): TwinMemory {
  const run = memory.open[runId];
  if (!run) return memory;
  const { [runId]: _ended, ...open } = memory.open;
  const next = { ...memory, open, ...(run.forRun === undefined ? {} : { terminated: run.forRun }) };
  const before = keyMemory(memory, run.key);
  const succeeded = end.outcome === "succeeded";
  const reason = end.reason === undefined ? {} : { lastReason: end.reason };
  if (run.operation === "create") {
    return withKey(next, run.key, {
      ...before,
      created: before.created || succeeded,
      createAttempts: Math.max(before.createAttempts, isManaged(run.cause) ? run.attempt : 0),
      createFailures: succeeded || end.outcome === "stopped" ? 0 : before.createFailures + 1,
      lastEndedAtMs: end.nowMs,
      ...reason,
    });
  }
  if (run.operation === "clean" && succeeded) return withKey(next, run.key, { ...before, created: false });
  if (run.operation !== "execute" || !isManaged(run.cause)) return next;
  // Stopped by us for a reason that is no fault of the twin's.
  const planned = end.outcome === "stopped" || run.retiring === true;
  const failures = end.lastedMs >= steadyAfterMs && before.wasHealthy ? 1 : before.failuresInRow + 1;
  return withKey(next, run.key, {
    ...before,
    attempts: Math.max(before.attempts, run.attempt),
    completed: succeeded && !planned,
    wasHealthy: before.wasHealthy || succeeded,
    failuresInRow: succeeded || planned ? 0 : failures,
    lastEndedAtMs: end.nowMs,
    ...reason,
  });
}

export function rememberGood(
  memory: TwinMemory,
  good: { key: string; source: DesiredTwin; runId?: string },
): TwinMemory {
  const { key, source, runId } = good;
  const { refused, ...rest } = memory;
  const stillRefused = refused && refused.key !== key ? { refused } : {};
  const run = runId === undefined ? undefined : memory.open[runId];
  const open =
    runId !== undefined && run ? { ...memory.open, [runId]: { ...run, healthy: true } } : memory.open;
  return withKey({ ...rest, ...stillRefused, open, lastGood: { key, source } }, key, {
    ...keyMemory(memory, key),
    wasHealthy: true,
  });
}

export function rememberRefused(
  memory: TwinMemory,
  refused: { key: string; revision: string; reason: string },
): TwinMemory {
  return { ...memory, refused };
}

/** Somebody wants it tried again: failures of this key are forgotten, and so is its refusal. */
export function rememberTryAgain(memory: TwinMemory, key: string): TwinMemory {
  const { refused, ...rest } = memory;
  const kept = refused && refused.key !== key ? { refused } : {};
  const { firstStartedAtMs: _first, lastEndedAtMs: _last, ...before } = keyMemory(memory, key);
  return withKey({ ...rest, ...kept }, key, {
    ...before,
    failuresInRow: 0,
    createFailures: 0,
    completed: false,
  });
}

/** Drops what is remembered of keys that nothing refers to any more. */
export function pruneKeys(memory: TwinMemory, wanted: ReadonlySet<string>): TwinMemory {
  const kept = Object.entries(memory.keys).filter(
    ([key]) =>
      wanted.has(key) ||
      key === memory.lastGood?.key ||
      Object.values(memory.open).some((run) => run.key === key),
  );
  return kept.length === Object.keys(memory.keys).length
    ? memory
    : { ...memory, keys: Object.fromEntries(kept) };
}

function withKey(memory: TwinMemory, key: string, value: KeyMemory): TwinMemory {
  return { ...memory, keys: { ...memory.keys, [key]: value } };
}
