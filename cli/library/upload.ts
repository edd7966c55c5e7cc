import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { Command } from "commander";
import { pack } from "tar-stream";
import { ActionNeededError, isSystemError } from "#core/errors";
import type { LibraryChange } from "#schemas/library";
import type { CliIo } from "../cli-io.ts";
import { commandContext, withConnection } from "../command-context.ts";
import { workingTree } from "../validate/working-tree.ts";
import { type ChangeOptions, printChange } from "./change.ts";
import { fileRoute, findLibraryPath, repositoryRoute } from "./library-path.ts";

const maxUploadBytes = 40 * 1024 * 1024; // what the platform takes in one commit; said before it is sent

/** `dtaas library upload <file|folder> <to>` */
export function uploadCommand(io: CliIo): Command {
  return withConnection(new Command("upload"))
    .description("uploads a file or a folder in one commit; what Git ignores in a work tree is left out")
    .argument("<source>", "a file or folder on this machine")
    .argument("<to>", "its path in the library; with / at the end the source's own name is added")
    .option("--replace", "replace files that are there")
    .option("--message <text>", "of the commit")
    .action(async (source: string, to: string, options: ChangeOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const local = resolve(io.folder, source);
      const named = to.endsWith("/") ? `${to}${basename(local)}` : to;
      const target = await findLibraryPath(api, named, context.user);
      const about = await statOf(local);
      const query = new URLSearchParams({ replace: String(options.replace ?? false) });
      if (options.message !== undefined) query.set("message", options.message);
      if (about.isFile()) {
        if (about.size > maxUploadBytes) throw tooLarge(local);
        query.set("executable", String((about.mode & 0o100) !== 0));
        const body = { bytes: await readFile(local), type: "application/octet-stream" };
        const route = `${fileRoute(target)}?${query.toString()}`;
        printChange(context, await api.upload<LibraryChange>("PUT", route, body));
        return;
      }
      query.set("into", target.path);
      const body = { bytes: await packFolder(local), type: "application/x-tar" };
      const route = `${repositoryRoute(target.repository)}/upload?${query.toString()}`;
      printChange(context, await api.upload<LibraryChange>("POST", route, body));
    });
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    throw new ActionNeededError("USAGE", `there is no ${path}`);
  }
}

/** A tar archive of what a commit of this folder would hold: regular files with their executable bit. */
async function packFolder(folder: string): Promise<Uint8Array> {
  const tree = workingTree(folder);
  const tar = pack();
  let bytes = 0;
  const add = async (path: string): Promise<void> => {
    const entry = tree.entry(path);
    if (entry?.kind === "folder") {
      for (const name of tree.list(path)) await add(path === "" ? name : `${path}/${name}`);
      return;
    }
    bytes += entry?.bytes ?? 0;
    if (bytes > maxUploadBytes) throw tooLarge(path);
    const content = await tree.read(path, maxUploadBytes);
    if (entry && content)
      tar.entry({ name: path, mode: entry.executable ? 0o755 : 0o644 }, Buffer.from(content));
  };
  await add("");
  tar.finalize();
  if (bytes === 0 && tree.list("").length === 0) {
    throw new ActionNeededError("USAGE", `${folder} holds no file that could be committed`);
  }
  return await buffer(Readable.from(tar as AsyncIterable<Uint8Array>));
}

function tooLarge(path: string): ActionNeededError {
  const mebibytes = maxUploadBytes / 1024 / 1024;
  return new ActionNeededError(
    "UPLOAD_TOO_LARGE",
    `one upload may have ${mebibytes} MiB; ${path} goes beyond that`,
    {
      where: { file: path },
      hint: "upload it in parts, or push it with git",
    },
  );
}
