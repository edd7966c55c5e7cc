import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import { ActionNeededError } from "#core/errors";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { fileRoute, findLibraryPath, repositoryRoute } from "./library-path.ts";
import { isThere, unpack } from "./unpack.ts";

interface ReadOptions extends CommonOptions {
  commit?: string;
}

/** `dtaas library read <path>` */
export function readCommand(io: CliIo): Command {
  return withConnection(new Command("read"))
    .description("prints a file, byte for byte")
    .argument("<path>")
    .option("--commit <id>", "as it was at this commit")
    .action(async (text: string, options: ReadOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const route = fileRoute(await findLibraryPath(api, text, context.user));
      for await (const chunk of api.read(`${route}${commitOf(options)}`)) await io.bytes(chunk);
    });
}

interface DownloadOptions extends ReadOptions {
  to?: string;
  format?: string;
}

/** `dtaas library download <path>` */
export function downloadCommand(io: CliIo): Command {
  return withConnection(new Command("download"))
    .description("a file or folder with all in it; executable bits are kept")
    .argument("<path>")
    .option("--to <path>", "where it goes; its own name in the current folder unless told")
    .option("--format <format>", "keep it as an archive: tar, tar.gz or zip")
    .option("--commit <id>", "as it was at this commit")
    .action(async (text: string, options: DownloadOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const from = await findLibraryPath(api, text, context.user);
      const whole = from.path === "" ? from.repository : from.path;
      const name = whole.slice(whole.lastIndexOf("/") + 1);
      const { format } = options;
      const target = resolve(io.folder, options.to ?? (format === undefined ? name : `${name}.${format}`));
      if (await isThere(target)) {
        throw new ActionNeededError("USAGE", `${target} is there already`, {
          hint: "choose another with --to",
        });
      }
      const query = new URLSearchParams({ path: from.path, format: format ?? "tar" });
      if (options.commit !== undefined) query.set("commit", options.commit);
      const chunks = api.read(`${repositoryRoute(from.repository)}/archive?${query.toString()}`);
      await mkdir(dirname(target), { recursive: true });
      const partial = `${target}.part`;
      try {
        const stream = Readable.from(chunks);
        if (format !== undefined) await pipeline(stream, createWriteStream(partial, { flags: "wx" }));
        else await unpack(stream, { into: partial, top: from.path === "" ? "" : name });
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { recursive: true, force: true });
        throw error;
      }
      context.print({ path: target }, () => `${target}\n`);
    });
}

function commitOf({ commit }: ReadOptions): string {
  return commit === undefined ? "" : `?commit=${encodeURIComponent(commit)}`;
}
