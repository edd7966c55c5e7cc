import { Command } from "commander";
import { ActionNeededError } from "#core/errors";
import type { LibraryChangesDocument } from "#schemas/generated/library-changes";
import type { LibraryChange } from "#schemas/library";
import type { CliIo } from "../cli-io.ts";
import {
  type CommandContext,
  type CommonOptions,
  commandContext,
  withConnection,
} from "../command-context.ts";
import { fileRoute, findLibraryPath, repositoryRoute } from "./library-path.ts";

export interface ChangeOptions extends CommonOptions {
  message?: string;
  replace?: boolean;
}

/** `dtaas library move <from> <to>` */
export function moveCommand(io: CliIo): Command {
  return withConnection(new Command("move"))
    .description("moves or renames a file or folder, in one commit")
    .argument("<from>")
    .argument("<to>", "its whole new path")
    .option("--message <text>", "of the commit")
    .action(async (from: string, to: string, options: ChangeOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const source = await findLibraryPath(api, from, context.user);
      const target = await findLibraryPath(api, to, context.user);
      if (source.repository !== target.repository) {
        throw new ActionNeededError("USAGE", "a move stays in its repository", {
          hint: "copy it with `dtaas library copy`, then delete the old one",
        });
      }
      const body = withMessage(
        { changes: [{ action: "move", from: source.path, to: target.path }] },
        options,
      );
      const route = `${repositoryRoute(source.repository)}/changes`;
      printChange(context, await api.send<LibraryChange>("POST", route, body));
    });
}

/** `dtaas library copy <from> <to>` */
export function copyCommand(io: CliIo): Command {
  return withConnection(new Command("copy"))
    .description("copies a file or folder with every byte, also from another repository, in one commit")
    .argument("<from>")
    .argument("<to>", "its whole new path")
    .option("--replace", "replace files that are there")
    .option("--message <text>", "of the commit")
    .action(async (from: string, to: string, options: ChangeOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const source = await findLibraryPath(api, from, context.user);
      const target = await findLibraryPath(api, to, context.user);
      const { repository } = source;
      const body = withMessage(
        {
          changes: [{ action: "copy", repository, from: source.path, to: target.path }],
          replace: options.replace ?? false,
        },
        options,
      );
      const route = `${repositoryRoute(target.repository)}/changes`;
      printChange(context, await api.send<LibraryChange>("POST", route, body));
    });
}

/** `dtaas library delete <path>` */
export function deleteCommand(io: CliIo): Command {
  return withConnection(new Command("delete"))
    .description("deletes a file, or a folder with all in it, in one commit; Git remembers it")
    .argument("<path>")
    .option("--message <text>", "of the commit")
    .action(async (text: string, options: ChangeOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const query = new URLSearchParams(options.message === undefined ? {} : { message: options.message });
      const route = `${fileRoute(await findLibraryPath(api, text, context.user))}?${query.toString()}`;
      printChange(context, await api.send<LibraryChange>("DELETE", route));
    });
}

export function printChange(context: CommandContext, change: LibraryChange): void {
  context.print(change, () => {
    if (!change.changed) return "everything was so already; nothing was committed\n";
    const count = change.files.length;
    return `committed ${change.commit?.slice(0, 8)} to ${change.repository}: ${count} ${count === 1 ? "file" : "files"}\n`;
  });
}

function withMessage(body: LibraryChangesDocument, { message }: ChangeOptions): LibraryChangesDocument {
  return message === undefined ? body : { ...body, message };
}
