import { basename, join, relative, resolve } from "node:path";
import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import { commandContext } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { diagnosticLines } from "../output/diagnostic-lines.ts";
import type { SetExitCode } from "../run-cli.ts";
import { findRepository, isMeant } from "./find-repository.ts";
import { validateFolder } from "./validate-folder.ts";

interface ValidateOptions {
  user?: string;
  common: string[];
  platform?: string;
  json?: boolean;
}

/** `dtaas validate [path]`: asks no platform and changes nothing. */
export function validateCommand(io: CliIo, end: SetExitCode): Command {
  return new Command("validate")
    .description("check a repository's documents as the platform would; exit code 1 when there are errors")
    .argument(
      "[path]",
      "folder of a repository or of a twin, or one dt.yaml, workspace.yaml or platform.yaml",
      ".",
    )
    .option("--user <user>", "whose repository it is (default: the name of its folder)")
    .option(
      "--common <folder>",
      "a shared-asset repository, to check paths below common/; again for each, in order (default: those beside)",
      (path: string, before: string[]) => [...before, path],
      [],
    )
    .option(
      "--platform <folder>",
      "the platform repository, for its defaults (default: ../platform, if there)",
    )
    .option("--json", "print JSON")
    .action(async (path: string, options: ValidateOptions) => {
      const { json, paint, print } = commandContext(io, options);
      const { root, part } = findRepository(path, io.folder);
      const { result, neighbours } = await validateFolder({
        root,
        user: options.user ?? basename(root),
        common:
          options.common.length === 0 ? undefined : options.common.map((path) => resolve(io.folder, path)),
        platform: options.platform && resolve(io.folder, options.platform),
      });
      const diagnostics = result.diagnostics.filter(({ file }) => isMeant(file, part));
      const twins = result.twins.filter(({ folder }) => isMeant(folder, part) || isMeant(part, folder));
      const errors = diagnostics.filter(({ severity }) => severity === "error").length;
      const warnings = diagnostics.length - errors;
      const showFile = (file: string) => relative(io.folder, join(root, file)) || file;
      const answer = {
        ok: errors === 0,
        root,
        ...neighbours,
        errors,
        warnings,
        twins: twins.map(({ name, document }) => ({
          name,
          valid: document !== undefined,
          derived: document?.derived ?? false,
          state: document?.state ?? null,
          operations: Object.keys(document?.spec.lifecycle ?? {}),
        })),
        diagnostics,
      };
      print(answer, () => {
        const lines = diagnosticLines(diagnostics, paint, showFile);
        const counted = `${count(twins.length, "twin")}: ${count(errors, "error")}, ${count(warnings, "warning")}`;
        const verdict = errors > 0 ? paint("red", counted) : paint("green", counted);
        return `${[...lines, verdict].join("\n")}\n`;
      });
      if (!json && twins.length === 0 && part === "" && result.platform === undefined) {
        io.err("there is no digital_twins/ folder with twins here\n");
      }
      if (errors > 0) end(exitCodes.failed);
    });
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
