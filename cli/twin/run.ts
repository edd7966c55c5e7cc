import { Command } from "commander";
import type { AcceptedRun, RunView } from "#schemas/api";
import type { ApiClient } from "../api/api-client.ts";
import { findTwin, findWorktreeTwin } from "../api/find-twin.ts";
import { followRun, type RunEnd } from "../api/follow-run.ts";
import { runPath, type TwinName, twinPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import {
  type CommandContext,
  type CommonOptions,
  commandContext,
  withConnection,
} from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { colourOf } from "../output/paint.ts";
import { oneLine } from "../output/table.ts";
import type { SetExitCode } from "../run-cli.ts";
import { givenParameters } from "./given-parameters.ts";
import { logPrinter } from "./log-printer.ts";

interface RunOptions extends CommonOptions {
  follow?: boolean;
  param?: string[];
  worktree?: boolean;
}

const twinArgument = ["<twin>", "user/twin, or twin where that is clear"] as const;
const followOption = ["-f, --follow", "show its log, and end with its exit code"] as const;

/** `dtaas twin run <twin> <operation>` */
export function runCommand(io: CliIo, end: SetExitCode): Command {
  return withConnection(new Command("run"))
    .description("run an operation once")
    .argument(...twinArgument)
    .argument("<operation>", "one of its lifecycle, such as create or execute")
    .option(...followOption)
    .option(
      "--param <name=value>",
      "a parameter for this run alone; may be repeated, outer.inner=value reaches into a mapping",
      (text: string, before: string[] = []) => [...before, text],
    )
    .option("--worktree", "run the files in your workspace as they are now, committed or not")
    .action(async (name: string, operation: string, options: RunOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = options.worktree
        ? await findWorktreeTwin(api, name, context.user)
        : await findTwin(api, name, context.user);
      const worktree = options.worktree ? { worktree: true } : {};
      const parameters = options.param === undefined ? {} : { parameters: givenParameters(options.param) };
      const run = await api.postOnce<AcceptedRun>(`${twinPath(twin)}/runs`, {
        operation,
        ...worktree,
        ...parameters,
      });
      await tell(context, api, { twin, run, follow: options.follow ?? false, end });
    });
}

/** `dtaas twin rerun <twin> <run>` */
export function rerunCommand(io: CliIo, end: SetExitCode): Command {
  return withConnection(new Command("rerun"))
    .description("do a former run again: the same commit, image, environment and parameters")
    .argument(...twinArgument)
    .argument("<run>", "id of the former run")
    .option(...followOption)
    .action(async (name: string, id: string, options: RunOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const run = await api.postOnce<AcceptedRun>(`${runPath(twin, id)}/rerun`);
      await tell(context, api, { twin, run, follow: options.follow ?? false, end });
    });
}

/** `dtaas twin cancel <twin> <run>` */
export function cancelCommand(io: CliIo): Command {
  return withConnection(new Command("cancel"))
    .description("end a run that somebody asked for")
    .argument(...twinArgument)
    .argument("<run>", "id of the run")
    .action(async (name: string, id: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const run = await api.send<RunView>("DELETE", runPath(twin, id));
      context.print(run, () => `${run.id} (${run.operation ?? "?"}) is being cancelled\n`);
    });
}

interface Accepted {
  twin: TwinName;
  run: AcceptedRun;
  follow: boolean;
  end: SetExitCode;
}

async function tell(context: CommandContext, api: ApiClient, accepted: Accepted): Promise<void> {
  const { twin, run, follow } = accepted;
  const full = `${twin.user}/${twin.twin}`;
  if (!follow) {
    const more = `follow it: dtaas twin logs -f ${full} --run ${run.id}`;
    context.print(run, () => `${run.id} ${run.operation} accepted; ${more}\n`);
    return;
  }
  if (!context.json) context.io.err(`${run.id} ${run.operation} accepted\n`);
  try {
    const ended = await followRun(
      api,
      { twin, id: run.id },
      {
        ...logPrinter(context),
        signal: context.io.interrupted,
      },
    );
    context.print({ ...run, ...ended }, () => "");
    if (!context.json) context.io.err(lastLine(context, run.id, ended));
    accepted.end(exitCodeOfRun(ended));
  } catch (error) {
    if (context.io.interrupted.aborted) {
      context.io.err(`\n${run.id} goes on; end it with: dtaas twin cancel ${full} ${run.id}\n`);
    }
    throw error;
  }
}

function lastLine(context: CommandContext, id: string, ended: RunEnd): string {
  const outcome = ended.outcome ?? "ended";
  const why = ended.reason === null ? "" : `: ${oneLine(ended.reason)}`;
  const code = ended.exitCode === null ? "" : ` (exit code ${ended.exitCode})`;
  return `${id} ${context.paint(colourOf(outcome), outcome)}${code}${why}\n`;
}

function exitCodeOfRun({ outcome, exitCode }: RunEnd): number {
  if (outcome === "succeeded") return exitCodes.done;
  if (outcome === "timed-out") return exitCodes.timedOut;
  return exitCode === null || exitCode === 0 ? exitCodes.noExitCode : exitCode;
}
