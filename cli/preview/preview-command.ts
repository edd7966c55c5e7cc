import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import { listCommand } from "./list.ts";
import { logsCommand } from "./logs.ts";
import { showCommand } from "./show.ts";

/** `dtaas preview ...` */
export function previewCommand(io: CliIo): Command {
  return new Command("preview")
    .description(
      "what merge requests run beside live twins; a preview is named by its merge request, such as 12",
    )
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(logsCommand(io));
}
