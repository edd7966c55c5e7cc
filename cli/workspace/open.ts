import { Command } from "commander";
import type { OpenedWorkspace, WorkspaceView } from "#schemas/workspace-view";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { findWorkspace, userArgument } from "./find-workspace.ts";

/** `dtaas workspace open [user]` */
export function openCommand(io: CliIo): Command {
  return withConnection(new Command("open"))
    .description("print the address of its tools; whoever has it is let in until the session ends")
    .argument(...userArgument)
    .action(async (name: string | undefined, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { path } = await findWorkspace(api, name, context.user);
      const opened = await api.send<OpenedWorkspace>("POST", `${path}/open`);
      context.print(opened, () => `${opened.url}\n`);
    });
}

/** `dtaas workspace keep-alive [user]` */
export function keepAliveCommand(io: CliIo): Command {
  return withConnection(new Command("keep-alive"))
    .description("begin its idle time anew")
    .argument(...userArgument)
    .action(async (name: string | undefined, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { user, path } = await findWorkspace(api, name, context.user);
      const view = await api.send<WorkspaceView>("POST", `${path}/keep-alive`);
      context.print(view, () => `${user}: its idle time begins anew\n`);
    });
}
