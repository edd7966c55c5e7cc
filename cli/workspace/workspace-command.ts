import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import type { SetExitCode } from "../run-cli.ts";
import { listCommand } from "./list.ts";
import { logsCommand } from "./logs.ts";
import { keepAliveCommand, openCommand } from "./open.ts";
import { showCommand } from "./show.ts";
import { rebuildCommand, restartCommand, startCommand, stopCommand } from "./start-stop.ts";

/** `dtaas workspace ...` */
export function workspaceCommand(io: CliIo, end: SetExitCode): Command {
  return new Command("workspace")
    .description("a user's own long-lived container with tools; without a name, your own")
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(startCommand(io, end))
    .addCommand(stopCommand(io, end))
    .addCommand(restartCommand(io, end))
    .addCommand(rebuildCommand(io, end))
    .addCommand(openCommand(io))
    .addCommand(keepAliveCommand(io))
    .addCommand(logsCommand(io));
}
