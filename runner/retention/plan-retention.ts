/** One run of a twin, as far as it matters for how long it is kept. */
export interface KeptRun {
  id: string;
  /** Absent for a request that never became a run. */
  operation?: string;
  sourceKey?: string;
  /** Milliseconds since 1970; absent while it has not ended. */
  finishedAtMs?: number;
}

export interface RetentionTimes {
  /** Absent: for ever. */
  runsMs?: number;
  logsMs?: number;
}

/**
 * Which runs of one twin go, and which of the others lose their log. What has not ended, what somebody wants done again,
 * the newest run of each operation, and that of the last good source stay as they are, however old. Pure.
 */
export function planRetention(
  runs: readonly KeptRun[],
  times: RetentionTimes,
  facts: { nowMs: number; lastGood: string | undefined; wanted: ReadonlySet<string> },
): { runs: string[]; logs: string[] } {
  const plan: { runs: string[]; logs: string[] } = { runs: [], logs: [] };
  const seen = new Set<string>();
  const isFirst = (key: string) => !seen.has(key) && Boolean(seen.add(key));
  // Ids begin with their time.
  for (const run of [...runs].sort((a, b) => (a.id < b.id ? 1 : -1))) {
    const { id, operation, sourceKey, finishedAtMs } = run;
    if (finishedAtMs === undefined) continue;
    const isNewest = operation !== undefined && isFirst(`newest ${operation}`);
    const isGood =
      operation !== undefined && sourceKey === facts.lastGood && isFirst(`last good ${operation}`);
    if (isNewest || isGood || facts.wanted.has(id)) continue;
    const ageMs = facts.nowMs - finishedAtMs;
    if (ageMs > (times.runsMs ?? Number.POSITIVE_INFINITY)) plan.runs.push(id);
    else if (ageMs > (times.logsMs ?? Number.POSITIVE_INFINITY)) plan.logs.push(id);
  }
  return plan;
}
