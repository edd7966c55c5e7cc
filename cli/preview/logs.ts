import { Command } from "commander";
import { ActionNeededError } from "#core/errors";
import type { LogLine } from "#schemas/run";
import { followLog } from "../api/follow-run.ts";
import { readLines } from "../api/read-lines.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { logPrinter } from "../twin/log-printer.ts";
import { findPreviews, twinOf } from "./find-previews.ts";

interface LogOptions extends CommonOptions {
  follow?: boolean;
  operation?: string;
}

/** `dtaas preview logs <merge request> [twin]` */
export function logsCommand(io: CliIo): Command {
  return withConnection(new Command("logs"))
    .description("the log of what a preview runs now, else of what it ran last")
    .argument("<merge request>", "its number")
    .argument("[twin]", "which of its twins; the only one without it")
    .option("-f, --follow", "go on until the operation has ended")
    .option("--operation <name>", "of this operation")
    .action(async (id: string, name: string | undefined, options: LogOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const previews = await findPreviews(api, id, context.user);
      const preview = twinOf(previews, name);
      const { operation } = options;
      const run = preview.runs.findLast((one) => operation === undefined || one.operation === operation);
      if (!run) {
        throw new ActionNeededError(
          "RUN_NOT_FOUND",
          operation === undefined
            ? `the preview of ${preview.twin} has not run yet: ${preview.reason ?? preview.phase}`
            : `the preview of ${preview.twin} has not run ${operation}`,
        );
      }
      const [owner, key] = [encodeURIComponent(previews.user), encodeURIComponent(previews.id)];
      const path = `/users/${owner}/previews/${key}/${encodeURIComponent(preview.twin)}/runs/${run.run}/log`;
      const printer = logPrinter(context);
      if (options.follow) await followLog(api, path, { ...printer, signal: io.interrupted });
      else for await (const line of readLines<LogLine>(api, path)) printer.onLine(line);
    });
}
