import type { ObservedPreviewRun, ObservedPreviews, WantedPreviews } from "#schemas/previews";
import { seenOf } from "./observed-previews.ts";
import type { Comparison, PreviewRun, PreviewState } from "./previews.ts";

/** What is known of a merge request's previews, twin by twin. `comparisons` is in the order of `wanted.twins`. Pure. */
export function statesOf(
  wanted: WantedPreviews,
  record: Pick<ObservedPreviews, "twins"> | undefined,
  comparisons: readonly Comparison[][],
): PreviewState[] {
  const previews = wanted.twins.map((twin, index): PreviewState => {
    const seen = seenOf(twin, record);
    return {
      twin: twin.name,
      commit: twin.commit,
      phase: seen?.phase ?? "waiting",
      ...(seen?.reason === undefined ? {} : { reason: seen.reason }),
      runs: (seen?.runs ?? []).map(runOf),
      comparisons: comparisons[index] ?? [],
    };
  });
  const refused = wanted.refused.map(
    ({ name, commit, reason }): PreviewState => ({
      ...{ twin: name, commit, phase: "failed", reason, runs: [], comparisons: [] },
    }),
  );
  return [...previews, ...refused].sort((a, b) => (a.twin < b.twin ? -1 : 1));
}

function runOf({ operation, run, exitCode, startedAt, finishedAt }: ObservedPreviewRun): PreviewRun {
  const hasTimes = startedAt !== undefined && finishedAt !== undefined;
  const durationMs = hasTimes ? Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)) : undefined;
  return { operation, run, exitCode, durationMs };
}
