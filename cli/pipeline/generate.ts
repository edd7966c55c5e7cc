import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Command } from "commander";
import { type KeptPipeline, keepPipeline, pipelineFile } from "#schemas/keep-pipeline";
import { maxDocumentBytes } from "#schemas/limits";
import type { CliIo } from "../cli-io.ts";
import { commandContext } from "../command-context.ts";
import { oneLine } from "../output/table.ts";
import { findRepository } from "../validate/find-repository.ts";
import { validateFolder } from "../validate/validate-folder.ts";
import { type WorkingTree, workingTree } from "../validate/working-tree.ts";

interface GenerateOptions {
  library: string;
  write?: boolean;
  diff?: boolean;
  json?: boolean;
}

/** `dtaas pipeline generate [path]`: asks no platform, and changes nothing unless told. */
export function generateCommand(io: CliIo): Command {
  return new Command("generate")
    .description("a parent .gitlab-ci.yml with a job for each twin of this folder; jobs of your own stay")
    .argument("[path]", "folder of a repository", ".")
    .option("--library <project>", "the project that has templates/twins.yml", "dtaas/common")
    .option("--diff", "show what would change, and nothing else")
    .option("--write", "write the files")
    .option("--json", "print JSON")
    .action(async (path: string, options: GenerateOptions) => {
      const context = commandContext(io, options);
      const { root } = findRepository(path, io.folder);
      const { result } = await validateFolder({
        root,
        user: basename(root),
        common: undefined,
        platform: undefined,
      });
      const tree = workingTree(root);
      const text = await textOf(tree, pipelineFile);
      const twins = result.twins.map(({ name }) => name).sort();
      const kept = keepPipeline({ tree, text, twins, library: options.library });
      if (options.write) for (const file of kept.files) await write(root, file);
      const diff = options.diff ? await diffOf(tree, kept) : "";
      context.print(kept, () =>
        options.diff ? diff : kept.files.map(({ content }) => content).join("---\n"),
      );
      if (!context.json) io.err(summary(kept, options.write ?? false));
    });
}

async function textOf(tree: WorkingTree, path: string): Promise<string | undefined> {
  const bytes = await tree.read(path, maxDocumentBytes + 1);
  return bytes && Buffer.from(bytes).toString("utf8");
}

async function write(root: string, { path, content }: { path: string; content: string }): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

/** As Git shows it. */
async function diffOf(tree: WorkingTree, kept: KeptPipeline): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dtaas-pipeline-"));
  try {
    for (const { path, content } of kept.files) {
      await write(join(folder, "a"), { path, content: (await textOf(tree, path)) ?? "" });
      await write(join(folder, "b"), { path, content });
    }
    if (kept.files.length === 0) return "";
    return await new Promise((resolve, reject) => {
      const words = ["diff", "--no-index", "--no-color", "--no-ext-diff", "--no-prefix", "a", "b"];
      execFile("git", words, { cwd: folder }, (error, stdout) => {
        // 1: they differ.
        if (error && error.code !== 1) reject(error);
        else resolve(stdout);
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summary({ files, added, changed, removed, theirs }: KeptPipeline, isWritten: boolean): string {
  const say = (what: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${what}: ${names.map(oneLine).join(", ")}`];
  const all = [
    ...say("added", added),
    ...say("changed", changed),
    ...say("removed", removed),
    ...say("yours, left as they are", theirs),
    files.length === 0
      ? "nothing is to be written"
      : `${isWritten ? "written" : "to be written"}: ${files.map(({ path }) => path).join(", ")}`,
  ];
  return `${all.join("\n")}\n`;
}
