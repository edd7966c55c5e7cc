import { Command } from "commander";
import type { LogLine } from "#schemas/run";
import { readLines } from "../api/read-lines.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { logPrinter } from "../twin/log-printer.ts";
import { findWorkspace, userArgument } from "./find-workspace.ts";

interface LogOptions extends CommonOptions {
  follow?: boolean;
  build?: boolean;
}

/** `dtaas workspace logs [user]` */
export function logsCommand(io: CliIo): Command {
  return withConnection(new Command("logs"))
    .description("what its tools have printed in this session")
    .argument(...userArgument)
    .option("-f, --follow", "go on until the session has ended")
    .option("--build", "what the build of its image has printed")
    .action(async (name: string | undefined, options: LogOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { path } = await findWorkspace(api, name, context.user);
      const query = new URLSearchParams({
        of: options.build ? "build" : "session",
        follow: String(options.follow ?? false),
      });
      const { onLine } = logPrinter(context);
      for await (const line of readLines<LogLine>(api, `${path}/log?${query.toString()}`)) onLine(line);
    });
}
