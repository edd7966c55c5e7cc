import { covers } from "#schemas/check-preview";
import type { ObservedPreview, WantedPreview } from "#schemas/previews";
import type { CompareSpec } from "#schemas/twin-spec";
import { openOutput } from "../../reading/run-outputs.ts";
import type { Comparison } from "../previews.ts";
import { compareColumns, somePoints } from "./compare-columns.ts";
import { type Column, maxCsvBytes, readColumn } from "./read-column.ts";

const mebibyte = 1024 * 1024;

/** A run whose outputs are read: its id, and its folder. */
export interface KeptRun {
  id: string;
  folder: string;
}

/**
 * Every `preview.compare` entry of one preview. Whatever keeps two columns from being compared is said with the entry; nothing of it
 * is an error.
 */
export async function comparePreview(
  wanted: WantedPreview,
  runs: {
    /** Of the preview, by operation: those that count. */
    preview: ReadonlyMap<string, KeptRun>;
    /** Of the live twin: the last successful one. */
    live: ReadonlyMap<string, KeptRun>;
  },
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const compare of wanted.compare) {
    const operation = operationOf(wanted, compare.file);
    const result =
      operation === undefined
        ? cannot("no `outputs` of the operations of the preview keeps it")
        : await compareFile(compare, operation, runs);
    comparisons.push({ ...compare, ...result });
  }
  return comparisons;
}

/** The operation whose run keeps this file: the last one that does. Pure. */
export function operationOf(wanted: Pick<WantedPreview, "operations">, file: string): string | undefined {
  return wanted.operations.findLast(({ outputs }) => outputs.some((output) => covers(output, file)))?.name;
}

/** What counted of a preview's runs, by operation. Pure. */
export function countedRuns(seen: ObservedPreview | undefined): Map<string, string> {
  return new Map(
    (seen?.runs ?? []).flatMap(({ operation, run, counts }) => (counts ? [[operation, run]] : [])),
  );
}

async function compareFile(
  { file, column, tolerance }: CompareSpec,
  operation: string,
  runs: { preview: ReadonlyMap<string, KeptRun>; live: ReadonlyMap<string, KeptRun> },
): Promise<Omit<Comparison, keyof CompareSpec>> {
  const mine = runs.preview.get(operation);
  if (!mine) return cannot(`${operation} of the preview has not ended well`);
  const preview = await columnOf(mine, file, column);
  if ("problem" in preview) return cannot(`the file of the preview ${preview.problem}`);
  const alone = { rows: preview.values.length, preview: preview.values };
  const other = runs.live.get(operation);
  if (!other) return cannot(`the live twin has no successful run of ${operation} yet`, alone);
  const live = await columnOf(other, file, column);
  if ("problem" in live) return cannot(`the file of the live run ${live.problem}`, alone);
  return compareColumns(live.values, preview.values, tolerance);
}

function cannot(
  reason: string,
  { rows, preview }: { rows: number; preview: number[] } = { rows: 0, preview: [] },
): Omit<Comparison, keyof CompareSpec> {
  return { verdict: "cannot-compare", reason, rows, live: [], preview: somePoints(preview) };
}

async function columnOf(run: KeptRun, path: string, column: string): Promise<Column> {
  const output = await openOutput(run.folder, path);
  if (!output) return { problem: "was not left by its run" };
  if (output.bytes > maxCsvBytes) {
    await output.file.close();
    return { problem: `has more than ${maxCsvBytes / mebibyte} MiB` };
  }
  return await readColumn(output.file.createReadStream({ end: maxCsvBytes }), column);
}
