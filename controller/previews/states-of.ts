import type { PreviewsView } from "#schemas/preview-view";
import type { Comparison, PreviewState } from "./previews.ts";

/** The same in the words of whoever asked for them. `prefix` stands before the names of twins. Pure. */
export function statesOf({ twins }: PreviewsView, prefix: string): PreviewState[] {
  return twins.map(({ twin, commit, phase, reason, runs, comparisons }) => ({
    ...{ twin: `${prefix}${twin}`, commit, phase },
    ...(reason === null ? {} : { reason }),
    runs: runs.map(({ operation, run, exitCode, durationMs }) => ({
      ...{ operation, run },
      ...{ exitCode: exitCode ?? undefined, durationMs: durationMs ?? undefined },
    })),
    comparisons: comparisons.map((comparison): Comparison => {
      const { file, column, tolerance, verdict, rows, live, preview } = comparison;
      const { reason: why, maxDifference, atRow, meanDifference } = comparison;
      return {
        ...{ file, column, tolerance, verdict, rows, live, preview },
        ...(why === null ? {} : { reason: why }),
        ...(maxDifference === null ? {} : { maxDifference }),
        ...(atRow === null ? {} : { atRow }),
        ...(meanDifference === null ? {} : { meanDifference }),
      };
    }),
  }));
}
