import { Command, InvalidArgumentError } from "commander";
import type { Items, RunView } from "#schemas/api";
import { findTwin } from "../api/find-twin.ts";
import { twinPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf, lengthOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { table } from "../output/table.ts";

interface HistoryOptions extends CommonOptions {
  limit?: number;
  before?: string;
}

/** `dtaas twin history <twin>` */
export function historyCommand(io: CliIo): Command {
  return withConnection(new Command("history"))
    .description("its runs, newest first")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .option("--limit <count>", "at most this many, up to 200", runCount)
    .option("--before <run>", "only runs older than this one")
    .action(async (name: string, options: HistoryOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const query = new URLSearchParams();
      if (options.limit !== undefined) query.set("limit", String(options.limit));
      if (options.before !== undefined) query.set("before", options.before);
      const { items } = await api.get<Items<RunView>>(`${twinPath(twin)}/runs?${query.toString()}`);
      context.print({ items }, () => runTable(items, context.paint, Date.now()));
    });
}

export function runTable(runs: readonly RunView[], paint: Paint, nowMs: number): string {
  if (runs.length === 0) return "no runs\n";
  return table(
    ["RUN", "OPERATION", "CAUSE", "OUTCOME", "EXIT", "BEGAN", "TOOK", "BY", "REMARK"],
    runs.map((run) => {
      const word = run.outcome ?? (run.cancelRequested ? "cancelling" : run.state);
      return [
        run.id,
        run.operation ?? "-",
        `${run.cause ?? "-"}${run.worktree ? " (worktree)" : ""}`,
        { text: word, paint: (text) => paint(colourOf(word), text) },
        run.exitCode === null ? "-" : String(run.exitCode),
        run.createdAt === null ? "-" : `${ageOf(run.createdAt, nowMs)} ago`,
        tookOf(run, nowMs),
        run.requestedBy ?? "-",
        run.reason ?? "",
      ];
    }),
  );
}

function tookOf(run: RunView, nowMs: number): string {
  if (run.startedAt === null) return "-";
  const endMs = run.finishedAt === null ? nowMs : Date.parse(run.finishedAt);
  return lengthOf(endMs - Date.parse(run.startedAt));
}

function runCount(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 200) return Number(text);
  throw new InvalidArgumentError("give a number from 1 to 200");
}
