import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import { ActionNeededError, isSystemError } from "#core/errors";
import type { ProcessIdentity } from "#core/process-identity";
import type { ContainerSpec } from "../engine.ts";

/** What was asked for, and what this engine has decided about it. Written once, before anything is started. */
export interface StoredRun {
  spec: ContainerSpec;
  /** The command's `PORT`. */
  port: number;
  /** In a sandbox of its own, with /workspace at its place. */
  isolated: boolean;
  /** Folder of the layer on this machine. */
  layerFolder: string;
}

/** What a supervisor starts. */
export interface Launch {
  command: string[];
  workingDir: string;
  environment: Record<string, string>;
}

/** What a supervisor tells: written when the command has started, and again when it has ended. */
export interface RunState {
  supervisor: ProcessIdentity;
  /** First process of the command's session. */
  command?: ProcessIdentity;
  startedAt: string;
  exitCode?: number;
  finishedAt?: string;
}

/** Marks every process of a run, whatever session it moves to. */
export const runMark = "DTAAS_PROCESS_RUN";

/** Where the engine keeps what it knows, below one folder. */
export class RunFiles {
  readonly root: string;
  /** One file per run that was started: `<name>.json`. One folder, so that one watch sees them all. */
  readonly states: string;
  readonly runs: string;
  readonly networks: string;
  /** Not where a container engine has its own: those belong to another user of the system. */
  readonly layers: string;

  constructor(root: string) {
    this.root = root;
    this.states = join(root, "states");
    this.runs = join(root, "runs");
    this.networks = join(root, "networks");
    this.layers = join(root, "layers");
  }

  folder(id: string): string {
    return join(this.runs, checkedId(id));
  }

  spec(id: string): string {
    return join(this.folder(id), "spec.json");
  }

  launch(id: string): string {
    return join(this.folder(id), "launch.json");
  }

  /** Held by the one supervisor that this run will ever have. */
  claim(id: string): string {
    return join(this.folder(id), "claim.json");
  }

  log(id: string): string {
    return join(this.folder(id), "log.ndjson");
  }

  state(id: string): string {
    return join(this.states, `${checkedId(id)}.json`);
  }

  async ids(): Promise<string[]> {
    const names = await readdir(this.runs).catch(() => []);
    return names.filter((name) => isId(name)).sort();
  }

  async run(id: string): Promise<StoredRun | undefined> {
    return isId(id) ? ((await readJson(this.spec(id))) as StoredRun | undefined) : undefined;
  }

  async stateOf(id: string): Promise<RunState | undefined> {
    return isId(id) ? ((await readJson(this.state(id))) as RunState | undefined) : undefined;
  }

  /** Everything that was started, read at once: between two lines of code nothing can be missed. */
  statesNow(): Map<string, RunState> {
    const found = new Map<string, RunState>();
    for (const file of namesIn(this.states)) {
      if (!file.endsWith(".json")) continue;
      const state = readNow(join(this.states, file));
      if (state !== undefined) found.set(file.slice(0, -".json".length), state as RunState);
    }
    return found;
  }

  runNow(id: string): StoredRun | undefined {
    return readNow(this.spec(id)) as StoredRun | undefined;
  }
}

/** Replaces a file in one step, without giving anybody a chance in between. */
export function writeNow(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  renameSync(temporary, path);
}

function readNow(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined; // removed meanwhile
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

/** Names of runs are names of folders here. */
function isId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,240}$/.test(id);
}

function checkedId(id: string): string {
  if (isId(id)) return id;
  throw new ActionNeededError("NAME_INVALID", `${JSON.stringify(id)} cannot name a run`, {
    hint: "use letters, digits, dashes, dots and underscores, 240 at most",
  });
}
