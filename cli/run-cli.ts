import { Command, CommanderError } from "commander";
import { assetsCommand } from "./assets/assets-command.ts";
import type { CliIo } from "./cli-io.ts";
import { deliveryCommand } from "./delivery/delivery-command.ts";
import { exitCodes } from "./exit-codes.ts";
import { libraryCommand } from "./library/library-command.ts";
import { painter } from "./output/paint.ts";
import { printError } from "./output/print-error.ts";
import { pipelineCommand } from "./pipeline/pipeline-command.ts";
import { planCommand } from "./plan/plan-command.ts";
import { previewCommand } from "./preview/preview-command.ts";
import { remoteCommand } from "./remote/remote-command.ts";
import { secretCommand } from "./secret/secret-command.ts";
import { twinCommand } from "./twin/twin-command.ts";
import { validateCommand } from "./validate/validate-command.ts";
import { workspaceCommand } from "./workspace/workspace-command.ts";

/** Called by commands that have done what was asked and end with another code than 0. */
export type SetExitCode = (code: number) => void;

/**
 * Runs `dtaas` with these arguments and gives its exit code. `more` are commands that run a machine rather than ask a
 * platform.
 */
export async function runCli(
  args: readonly string[],
  io: CliIo,
  more: readonly Command[] = [],
  version = "0.0.0",
): Promise<number> {
  let exitCode: number = exitCodes.done;
  const end: SetExitCode = (code) => {
    exitCode = code;
  };
  const program = new Command("dtaas")
    .description("Digital Twin as a Service, Git-native: what is in Git is what runs.")
    .version(version, "-V, --version");
  for (const command of more) program.addCommand(command);
  program
    .addCommand(validateCommand(io, end))
    .addCommand(planCommand(io))
    .addCommand(twinCommand(io, end))
    .addCommand(pipelineCommand(io, end))
    .addCommand(previewCommand(io))
    .addCommand(assetsCommand(io))
    .addCommand(workspaceCommand(io, end))
    .addCommand(libraryCommand(io))
    .addCommand(remoteCommand(io, end))
    .addCommand(deliveryCommand(io))
    .addCommand(secretCommand(io));
  prepare(program, io);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (io.interrupted.aborted) return exitCodes.interrupted;
    const json = args.includes("--json");
    const debug = Boolean(io.environment["DTAAS_DEBUG"]);
    return printError(error, { ...io, json, debug, paint: painter(io.colours && !json) });
  }
}

/** The same manners for every command, however deep. */
function prepare(command: Command, io: CliIo): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .helpCommand(false);
  for (const child of command.commands) prepare(child, io);
}
