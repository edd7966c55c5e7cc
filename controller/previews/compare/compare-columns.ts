import type { Comparison } from "../previews.ts";

// Points of each series that are kept for a plot.
const maxPoints = 60;

/**
 * Two columns side by side, row by row. Passes when no row differs by more than the tolerance, rounding of the last digit
 * apart. `meanDifference` is the mean of the differences without their signs. Pure.
 */
export function compareColumns(
  live: readonly number[],
  preview: readonly number[],
  tolerance: number,
): Omit<Comparison, "file" | "column" | "tolerance"> {
  const series = { rows: preview.length, live: somePoints(live), preview: somePoints(preview) };
  if (live.length !== preview.length) {
    const reason = `different row counts: ${preview.length} in the preview, ${live.length} in the live run`;
    return { verdict: "cannot-compare", reason, ...series };
  }
  let maxDifference = 0;
  let atRow = 1;
  let mean = 0;
  let passes = true;
  for (const [index, mine] of preview.entries()) {
    const other = live[index] ?? 0;
    const difference = Math.abs(mine - other);
    mean += (difference - mean) / (index + 1); // never larger than the largest, whatever the sum would be
    if (difference > maxDifference) {
      maxDifference = difference;
      atRow = index + 1;
    }
    const rounding = 4 * Number.EPSILON * Math.max(Math.abs(mine), Math.abs(other));
    if (difference > tolerance + rounding) passes = false;
  }
  // The difference of two finite numbers may be none: JSON knows no infinity.
  const finite = (value: number) => Math.min(value, Number.MAX_VALUE);
  return {
    verdict: passes ? "pass" : "fail",
    ...series,
    maxDifference: finite(maxDifference),
    atRow,
    meanDifference: finite(mean),
  };
}

/** Evenly taken, the first and the last among them. */
export function somePoints(values: readonly number[]): number[] {
  if (values.length <= maxPoints) return [...values];
  const step = (values.length - 1) / (maxPoints - 1);
  return Array.from({ length: maxPoints }, (_, index) => values[Math.round(index * step)] ?? 0);
}
