import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { Items } from "#schemas/api";
import type { RunOutcome } from "#schemas/run";
import { findTwin } from "../api/find-twin.ts";
import { runPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { table } from "../output/table.ts";

interface OutputOptions extends CommonOptions {
  to?: string;
}

/** `dtaas twin outputs <twin> <run> [path]` */
export function outputsCommand(io: CliIo): Command {
  return withConnection(new Command("outputs"))
    .description("files that a run kept: list them, or print one")
    .argument("<twin>", "user/twin, or twin where that is clear")
    .argument("<run>", "id of the run")
    .argument("[path]", "of one file")
    .option("--to <file>", "write the file there; it must not be there yet")
    .action(async (name: string, id: string, path: string | undefined, options: OutputOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const base = `${runPath(await findTwin(api, name, context.user), id)}/outputs`;
      if (path === undefined) {
        const { items } = await api.get<Items<RunOutcome["outputs"][number]>>(base);
        const rows = items.map((file) => [String(file.bytes), file.path]);
        context.print({ items }, () =>
          rows.length === 0 ? "it kept no files\n" : table(["BYTES", "FILE"], rows),
        );
        return;
      }
      const chunks = api.read(`${base}/${path.split("/").map(encodeURIComponent).join("/")}`);
      if (options.to === undefined) {
        for await (const chunk of chunks) await io.bytes(chunk);
        return;
      }
      await pipeline(
        Readable.from(chunks),
        createWriteStream(resolve(io.folder, options.to), { flags: "wx" }),
      );
    });
}
