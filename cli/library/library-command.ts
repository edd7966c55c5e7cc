import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import { copyCommand, deleteCommand, moveCommand } from "./change.ts";
import { downloadCommand, readCommand } from "./download.ts";
import { listCommand, searchCommand } from "./list.ts";
import { uploadCommand } from "./upload.ts";

/** `dtaas library ...` */
export function libraryCommand(io: CliIo): Command {
  return new Command("library")
    .description(
      "assets of users and shared ones; a path is <repository>/<kind>/<name>, or <kind>/<name> for your own",
    )
    .addCommand(listCommand(io))
    .addCommand(searchCommand(io))
    .addCommand(readCommand(io))
    .addCommand(uploadCommand(io))
    .addCommand(downloadCommand(io))
    .addCommand(moveCommand(io))
    .addCommand(copyCommand(io))
    .addCommand(deleteCommand(io));
}
