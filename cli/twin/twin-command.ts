import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import type { SetExitCode } from "../run-cli.ts";
import { historyCommand } from "./history.ts";
import { listCommand } from "./list.ts";
import { logsCommand } from "./logs.ts";
import { outputsCommand } from "./outputs.ts";
import { rollbackCommand } from "./rollback.ts";
import { cancelCommand, rerunCommand, runCommand } from "./run.ts";
import { saveCommand } from "./save.ts";
import { showCommand } from "./show.ts";
import { startCommand, stopCommand } from "./start-stop.ts";

/** `dtaas twin ...` */
export function twinCommand(io: CliIo, end: SetExitCode): Command {
  return new Command("twin")
    .description(
      "what twins do, and what they shall do; a twin is named user/twin, or twin where that is clear",
    )
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(startCommand(io, end))
    .addCommand(stopCommand(io, end))
    .addCommand(runCommand(io, end))
    .addCommand(logsCommand(io))
    .addCommand(historyCommand(io))
    .addCommand(rerunCommand(io, end))
    .addCommand(cancelCommand(io))
    .addCommand(outputsCommand(io))
    .addCommand(saveCommand(io))
    .addCommand(rollbackCommand(io));
}
