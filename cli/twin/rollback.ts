import { Command } from "commander";
import type { Rollback } from "#schemas/api";
import { findTwin } from "../api/find-twin.ts";
import { twinPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";

interface RollbackOptions extends CommonOptions {
  mergeRequest?: boolean;
}

/** `dtaas twin rollback <twin> [revision]` */
export function rollbackCommand(io: CliIo): Command {
  return withConnection(new Command("rollback"))
    .description("make a twin's folder as it was, in one commit with your own token")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .argument("[revision]", "a commit of the default branch (default: the last one that was live)")
    .option("--merge-request", "propose it instead; so it is done, too, where you may not push")
    .action(async (name: string, revision: string | undefined, options: RollbackOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const wish = {
        ...(revision === undefined ? {} : { revision }),
        ...(options.mergeRequest ? { mergeRequest: true } : {}),
      };
      const done = await api.send<Rollback>("POST", `${twinPath(twin)}/rollback`, wish);
      context.print(done, () => `${twin.user}/${twin.twin}: ${words(done)}\n`);
    });
}

function words({ to, commit, branch, mergeRequest, files }: Rollback): string {
  const what = `as it was at ${to.slice(0, 8)}, ${files} ${files === 1 ? "change" : "changes"}`;
  if (mergeRequest) return `${what}, proposed on ${branch}: ${mergeRequest.url}`;
  return `${what}, committed to ${branch}: ${commit.slice(0, 8)}`;
}
