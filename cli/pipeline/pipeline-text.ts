import type { PipelineJobView, PipelineTree, PipelineView } from "#schemas/pipelines";
import { ageOf, lengthOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { oneLine, table } from "../output/table.ts";

/** One line for each pipeline. */
export function pipelineTable(items: readonly PipelineView[], paint: Paint, nowMs: number): string {
  if (items.length === 0) return "no pipelines\n";
  return table(
    ["PIPELINE", "STATE", "REF", "COMMIT", "SOURCE", "AGE"],
    items.map((one) => [
      `${one.user}/${one.id}`,
      stateCell(one.state, paint),
      one.ref,
      one.commit.slice(0, 8),
      one.source,
      ageOf(one.createdAt, nowMs),
    ]),
  );
}

/** A pipeline with its jobs; what a job has triggered stands below it, further in. */
export function pipelineText(tree: PipelineTree, paint: Paint, nowMs: number): string {
  const head = `${paint("bold", `${tree.user}/${tree.id}`)} ${paint(colourOf(tree.state), tree.state)}`;
  const by = tree.startedBy === null ? tree.source : `${tree.source} by ${tree.startedBy}`;
  const about = `  ${oneLine(tree.ref)} ${tree.commit.slice(0, 8)}, ${oneLine(by)}, ${oneLine(tree.webUrl)}`;
  const problem = tree.problem === null ? [] : [`  ${paint("red", oneLine(tree.problem))}`];
  const rows = jobRows(tree.jobs, paint, nowMs, 0);
  const jobs =
    rows.length === 0 ? "  no jobs\n" : table(["  JOB", "STATE", "STAGE", "TOOK", "ID", "REMARK"], rows);
  return `${[head, about, ...problem].join("\n")}\n${jobs}`;
}

function jobRows(
  jobs: readonly PipelineJobView[],
  paint: Paint,
  nowMs: number,
  depth: number,
): (string | { text: string; paint: (text: string) => string })[][] {
  return jobs.flatMap((job) => [
    [
      `  ${"  ".repeat(depth)}${oneLine(job.name)}`,
      stateCell(job.state, paint),
      job.stage,
      tookOf(job, nowMs),
      String(job.id),
      job.downstream ? `pipeline ${job.downstream.id}` : (job.reason ?? ""),
    ],
    ...(job.downstream ? jobRows(job.downstream.jobs, paint, nowMs, depth + 1) : []),
  ]);
}

function stateCell(state: string, paint: Paint): { text: string; paint: (text: string) => string } {
  return { text: state, paint: (text) => paint(colourOf(state), text) };
}

function tookOf(job: PipelineJobView, nowMs: number): string {
  if (job.startedAt === null) return "-";
  const endMs = job.finishedAt === null ? nowMs : Date.parse(job.finishedAt);
  return lengthOf(endMs - Date.parse(job.startedAt));
}
