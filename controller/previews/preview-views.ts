import type { ComparisonView, PreviewRunView, PreviewsView, PreviewView } from "#schemas/preview-view";
import type { ObservedPreviewRun, ObservedPreviews, WantedPreviews } from "#schemas/previews";
import { seenOf } from "./observed-previews.ts";
import type { Comparison } from "./previews.ts";

/** One merge request's previews as the API shows them. `comparisons` is in the order of `wanted.twins`. Pure. */
export function previewsView(
  wanted: WantedPreviews,
  record: Pick<ObservedPreviews, "twins"> | undefined,
  comparisons: readonly Comparison[][],
): PreviewsView {
  const { user, id, mergeRequest, wantedAt } = wanted;
  const previews = wanted.twins.map((twin, index): PreviewView => {
    const seen = seenOf(twin, record);
    return {
      twin: twin.name,
      commit: twin.commit,
      phase: seen?.phase ?? "waiting",
      since: seen?.since ?? null,
      reason: seen?.reason ?? null,
      expiresAt: new Date(Date.parse(twin.wantedAt) + twin.ttlMs).toISOString(),
      runs: (seen?.runs ?? []).map(runView),
      comparisons: (comparisons[index] ?? []).map(comparisonView),
    };
  });
  const refused = wanted.refused.map(
    ({ name, commit, reason }): PreviewView => ({
      ...{ twin: name, commit, phase: "failed", since: null, reason, expiresAt: null },
      ...{ runs: [], comparisons: [] },
    }),
  );
  const twins = [...previews, ...refused].sort((a, b) => (a.twin < b.twin ? -1 : 1));
  return { user, id, project: mergeRequest.projectPath, iid: mergeRequest.iid, wantedAt, twins };
}

/** How long a run took; `undefined` before it has ended. */
export function durationOf({
  startedAt,
  finishedAt,
}: Pick<ObservedPreviewRun, "startedAt" | "finishedAt">): number | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined;
  return Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt));
}

function runView(run: ObservedPreviewRun): PreviewRunView {
  return {
    operation: run.operation,
    run: run.run,
    startedAt: run.startedAt ?? null,
    finishedAt: run.finishedAt ?? null,
    durationMs: durationOf(run) ?? null,
    outcome: run.outcome ?? null,
    exitCode: run.exitCode ?? null,
    reason: run.reason ?? null,
  };
}

function comparisonView(comparison: Comparison): ComparisonView {
  const { reason = null, maxDifference = null, atRow = null, meanDifference = null } = comparison;
  return { ...comparison, reason, maxDifference, atRow, meanDifference };
}

/** Without the points of plots, for lists. Pure. */
export function withoutPoints(view: PreviewsView): PreviewsView {
  const twins = view.twins.map((twin) => ({
    ...twin,
    comparisons: twin.comparisons.map((comparison) => ({ ...comparison, live: [], preview: [] })),
  }));
  return { ...view, twins };
}
