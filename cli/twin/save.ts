import { Command } from "commander";
import type { SavedOutputs } from "#schemas/api";
import { findTwin } from "../api/find-twin.ts";
import { runPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";

interface SaveOptions extends CommonOptions {
  branch: string;
}

/** `dtaas twin save <twin> <run>` */
export function saveCommand(io: CliIo): Command {
  return withConnection(new Command("save"))
    .description("commit the files that a run kept, with your own token")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .argument("<run>", "id of the run")
    .option("--branch <branch>", "branch of the user's repository; made where it is not there", "results")
    .action(async (name: string, id: string, options: SaveOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { branch } = options;
      const twin = await findTwin(api, name, context.user);
      const saved = await api.send<SavedOutputs>("POST", `${runPath(twin, id)}/save`, { branch });
      context.print(saved, () =>
        saved.changed
          ? `${saved.files} files of ${id} committed to ${branch}: ${saved.commit}\n`
          : `${branch} has the files of ${id} already; nothing was committed\n`,
      );
    });
}
