import { randomUUID } from "node:crypto";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import type { ForgeContext } from "../../forge-context.ts";
import { httpUrl } from "../../projects/project-json.ts";
import type { ProjectRecord, UserRecord } from "../../store/records.ts";
import { evaluateFiles, type Parsed } from "./evaluate-files.ts";
import { gatherFiles, listPaths } from "./gather-files.ts";
import { IncludeRefused } from "./include-refused.ts";
import type { ParserInput } from "./parser-folder.ts";

const parsersAtOnce = 2; // each takes a processor and a few hundred MiB for a second
const maxNames = 20_000; // files of a commit that `rules:exists` can be asked about
const rootFile = ".dtaas-root.yml";

export interface PipelineSource {
  project: ProjectRecord;
  user: UserRecord;
  commit: string;
  /** Branch or tag. */
  ref: string;
  /** What the root file includes: the project's own file, or what a bridge names. */
  include: readonly Readonly<Record<string, unknown>>[];
  /** Files that are in no commit, such as an artifact that a child pipeline is made of. */
  also?: ReadonlyMap<string, string>;
  /** All that conditions can see, later ones over earlier ones; these win over what the files say. */
  variables: Readonly<Record<string, string>>;
  /** Predefined ones that this pipeline has not, such as the branch of a tag. */
  unset: readonly string[];
  /** Paths that `rules:changes` is about; without it every such rule holds, as for pipelines of no push. */
  changed: readonly string[] | undefined;
}

/** Reads pipelines, a few at a time, each in a folder of its own that is gone afterwards. */
export class PipelineParser {
  readonly #folder: string;
  readonly #limit = pLimit(parsersAtOnce);
  readonly #closing = new AbortController();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Clears away what a crash has left. */
  static async open(folder: string): Promise<PipelineParser> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new PipelineParser(await realpath(folder)); // what may be read is named by real paths
  }

  parse(context: ForgeContext, source: PipelineSource): Promise<Parsed> {
    return this.#limit(async () => {
      const folder = join(this.#folder, randomUUID());
      try {
        return await this.#parse(context, source, folder);
      } catch (error) {
        if (error instanceof IncludeRefused) return { kind: "errors", errors: [error.message] };
        throw error;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  close(): void {
    this.#closing.abort();
  }

  async #parse(context: ForgeContext, source: PipelineSource, folder: string): Promise<Parsed> {
    const { project, user, commit, variables } = source;
    const root = { name: rootFile, content: JSON.stringify({ include: source.include }) };
    const paths = await listPaths(context, project, commit);
    const gathered = await gatherFiles(
      context,
      { project, user, commit, paths, variables },
      source.also ? { ...root, also: source.also } : root,
    );
    const asksForNames = [...gathered.files.values()].some((text) => /\bexists\b/.test(text));
    if (asksForNames && paths.length > maxNames) {
      const message = `rules:exists cannot be used in a repository of more than ${maxNames} files here`;
      return { kind: "errors", errors: [message] };
    }
    const input: ParserInput = {
      ...gathered,
      names: asksForNames ? paths : [],
      changed: source.changed ?? [],
      variables,
      branch: source.ref,
      defaultBranch: project.defaultBranch,
      commit,
      origin: httpUrl(context, project),
    };
    const rules = { unset: source.unset, ignoreChanges: source.changed === undefined };
    return await evaluateFiles(folder, { input, root: rootFile, rules, signal: this.#closing.signal });
  }
}
