import { Command } from "commander";
import type { ScheduleView, TwinView } from "#schemas/api";
import { findTwin } from "../api/find-twin.ts";
import { twinPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import { diagnosticLines } from "../output/diagnostic-lines.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { oneLine } from "../output/table.ts";

const titleWidth = 13;

/** `dtaas twin show <twin>` */
export function showCommand(io: CliIo): Command {
  return withConnection(new Command("show"))
    .description("everything about one twin")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .action(async (name: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await api.get<TwinView>(twinPath(await findTwin(api, name, context.user)));
      context.print(twin, () => describeTwin(twin, context.paint, Date.now()));
    });
}

export function describeTwin(twin: TwinView, paint: Paint, nowMs: number): string {
  const short = (revision: string | null) => revision?.slice(0, 8) ?? "-";
  const behind = twin.desiredRevision !== null && twin.revision !== twin.desiredRevision;
  const run = twin.lastRun;
  const labels = Object.entries(twin.labels).map(([key, value]) => `${key}=${value}`);
  const fields: [string, string | null][] = [
    ["phase", `${twin.phase}${twin.since === null ? "" : ` for ${ageOf(twin.since, nowMs)}`}`],
    ["reason", twin.reason],
    ["state", twin.state === null ? "no longer in Git" : `${twin.state}${twin.suspend ? ", suspended" : ""}`],
    ["title", twin.title === twin.name ? null : twin.title],
    ["description", twin.description || null],
    ["labels", labels.join(", ") || null],
    ["revision", `${short(twin.revision)}${behind ? `, wanted: ${short(twin.desiredRevision)}` : ""}`],
    [
      "returned",
      twin.returnedFrom && `from ${short(twin.returnedFrom.revision)}: ${twin.returnedFrom.reason}`,
    ],
    ["waits for", twin.waitingFor.join(", ") || null],
    ["depends on", twin.dependsOn.join(", ") || null],
    ["operations", twin.operations.join(", ") || "none"],
    ...twin.schedule.map((time, index): [string, string] => [
      index === 0 ? "schedule" : "",
      describeSchedule(time),
    ]),
    ["restarts", String(twin.restarts)],
    ["run", twin.runId],
    ["container", twin.containerId?.slice(0, 12) ?? null],
    ["last run", run && `${run.id} ${run.operation ?? ""} ${run.outcome ?? run.state}`],
    ["note", twin.applied ? null : "the runner has not looked at the newest revision yet"],
  ];
  const lines = fields.flatMap(([title, text]) => {
    if (text === null) return [];
    const shown = title === "phase" ? paint(colourOf(twin.phase), oneLine(text)) : oneLine(text);
    return [`  ${title.padEnd(titleWidth)}${shown}`];
  });
  const head = paint("bold", `${twin.user}/${twin.name}`);
  const problems = twin.broken
    ? [`\n  ${short(twin.broken.revision)} has problems:`, ...diagnosticLines(twin.broken.diagnostics, paint)]
    : [];
  return `${[head, ...lines, ...problems].join("\n")}\n`;
}

function describeSchedule({ operation, cron, timeZone, next, last }: ScheduleView): string {
  const then = next === null ? "not while it is suspended" : `next ${minuteOf(next)}`;
  const before = last && `, ${minuteOf(last.at)} ${last.runId ?? `skipped: ${last.skipped}`}`;
  return `${operation} at ${cron} (${timeZone}), ${then}${before ?? ""}`;
}

/** Cron knows nothing finer. */
function minuteOf(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")} UTC`;
}
