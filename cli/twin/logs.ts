import { Command, InvalidArgumentError } from "commander";
import { ActionNeededError } from "#core/errors";
import type { TwinView } from "#schemas/api";
import type { LogLine } from "#schemas/run";
import type { ApiClient } from "../api/api-client.ts";
import { findTwin } from "../api/find-twin.ts";
import { followRun } from "../api/follow-run.ts";
import { runPath, type TwinName, twinPath } from "../api/paths.ts";
import { readLines } from "../api/read-lines.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { logPrinter } from "./log-printer.ts";

interface LogOptions extends CommonOptions {
  follow?: boolean;
  run?: string;
  tail?: number;
}

/** `dtaas twin logs <twin>` */
export function logsCommand(io: CliIo): Command {
  return withConnection(new Command("logs"))
    .description("the log of what runs now, else of the newest run")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .option("-f, --follow", "go on until the run has ended")
    .option("--run <id>", "of this run")
    .option("-n, --tail <lines>", "only the last lines; not with --follow", lineCount)
    .action(async (name: string, options: LogOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const id = options.run ?? (await currentRun(api, twin));
      const printer = logPrinter(context);
      if (options.follow) {
        await followRun(api, { twin, id }, { ...printer, signal: io.interrupted });
        return;
      }
      const kept: LogLine[] = [];
      for await (const line of readLines<LogLine>(api, `${runPath(twin, id)}/log`)) {
        if (options.tail === undefined) {
          printer.onLine(line);
          continue;
        }
        kept.push(line);
        if (kept.length > options.tail) kept.shift();
      }
      for (const line of kept) printer.onLine(line);
    });
}

async function currentRun(api: ApiClient, twin: TwinName): Promise<string> {
  const view = await api.get<TwinView>(twinPath(twin));
  const id = view.runId ?? view.lastRun?.id;
  if (id !== undefined) return id;
  throw new ActionNeededError("RUN_NOT_FOUND", `${twin.user}/${twin.twin} has not run yet`, {
    hint:
      view.operations[0] === undefined
        ? "it has no operations"
        : `run something: dtaas twin run ${twin.user}/${twin.twin} ${view.operations[0]}`,
  });
}

function lineCount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a number of lines");
}
