import { Command } from "commander";
import type { ComparisonView, PreviewsView, PreviewView } from "#schemas/preview-view";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import type { Paint } from "../output/paint.ts";
import { oneLine, table } from "../output/table.ts";
import { findPreviews } from "./find-previews.ts";
import { phaseColour } from "./list.ts";

/** `dtaas preview show <merge request>` */
export function showCommand(io: CliIo): Command {
  return withConnection(new Command("show"))
    .description("the previews of one merge request, with their numbers beside those of the live twins")
    .argument("<merge request>", "its number")
    .action(async (id: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const previews = await findPreviews(api, id, context.user);
      context.print(previews, () => describePreviews(previews, context.paint, Date.now()));
    });
}

function describePreviews(previews: PreviewsView, paint: Paint, nowMs: number): string {
  const head = paint("bold", `${oneLine(previews.project)}!${previews.iid}`);
  return [`${head}\n`, ...previews.twins.map((preview) => describeTwin(preview, paint, nowMs))].join("\n");
}

function describeTwin(preview: PreviewView, paint: Paint, nowMs: number): string {
  const { twin, commit, phase, since, reason, runs, comparisons } = preview;
  const age = since === null ? "" : ` for ${ageOf(since, nowMs)}`;
  const lines = [
    `${paint("bold", oneLine(twin))} at ${commit.slice(0, 8)}: ${paint(phaseColour(phase), phase)}${age}\n`,
    ...(reason === null ? [] : [`  ${oneLine(reason)}\n`]),
  ];
  if (runs.length > 0) {
    const rows = runs.map((run) => [
      run.operation,
      run.run,
      run.outcome ?? "running",
      run.exitCode === null ? "-" : String(run.exitCode),
      run.durationMs === null ? "-" : `${(run.durationMs / 1000).toFixed(1)} s`,
    ]);
    lines.push(indented(table(["OPERATION", "RUN", "OUTCOME", "EXIT", "TOOK"], rows)));
  }
  if (comparisons.length > 0) {
    const rows = comparisons.map((one) => comparisonRow(one, paint));
    const titles = ["FILE", "COLUMN", "VERDICT", "ROWS", "LARGEST", "AT ROW", "MEAN", "TOLERANCE", "REMARK"];
    lines.push(indented(table(titles, rows)));
  }
  return lines.join("");
}

function comparisonRow(one: ComparisonView, paint: Paint) {
  const { file, column, verdict, rows, maxDifference, atRow, meanDifference, tolerance, reason } = one;
  const colour = verdict === "pass" ? "green" : verdict === "fail" ? "red" : "yellow";
  return [
    ...[file, column],
    { text: verdict, paint: (text: string) => paint(colour, text) },
    ...[String(rows), numberText(maxDifference), atRow === null ? "-" : String(atRow)],
    ...[numberText(meanDifference), numberText(tolerance), reason ?? ""],
  ];
}

function numberText(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(6)));
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
