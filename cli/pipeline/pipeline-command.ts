import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import type { SetExitCode } from "../run-cli.ts";
import { cancelCommand, playCommand, retryCommand } from "./change.ts";
import { generateCommand } from "./generate.ts";
import { listCommand, logsCommand, showCommand } from "./look.ts";
import { runCommand } from "./run.ts";

/** `dtaas pipeline ...` */
export function pipelineCommand(io: CliIo, end: SetExitCode): Command {
  return new Command("pipeline")
    .description("pipelines of the Git host; one is named user/number, or number where the user is clear")
    .addCommand(runCommand(io, end))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(logsCommand(io, end))
    .addCommand(cancelCommand(io))
    .addCommand(retryCommand(io))
    .addCommand(playCommand(io))
    .addCommand(generateCommand(io));
}
