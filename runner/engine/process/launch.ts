import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withEnvironmentFiles } from "../environment-files.ts";
import { commandPath, enterArguments, sandboxArguments } from "./bubblewrap.ts";
import { type Launch, type RunFiles, runMark, type StoredRun } from "./run-files.ts";

const workspace = "/workspace";
const answerMs = 5_000;

export interface LaunchPlace {
  files: RunFiles;
  /** Hidden from commands in a sandbox. */
  dataFolder: string;
  /** First process of the sandbox to start it in (for `terminate`), instead of one of its own. */
  joins?: number;
}

/** How the command of a run is started on this machine. */
export async function launchOf(run: StoredRun, place: LaunchPlace): Promise<Launch> {
  const { spec, isolated, layerFolder } = run;
  const id = spec.name;
  const limited = [...(await limits(run)), ...commandOf(run)];
  const environment = environmentOf(run, place.files);
  if (!isolated) {
    for (const own of [environment.HOME, environment.TMPDIR]) await mkdir(own, { recursive: true });
    return { command: limited, workingDir: workingDirOf(run), environment };
  }
  if (place.joins !== undefined) {
    return { command: enterArguments(place.joins, spec.workingDir, limited), workingDir: "/", environment };
  }
  const sandbox = await sandboxArguments({
    layerFolder,
    dataFolder: place.dataFolder,
    workingDir: spec.workingDir,
    ...(spec.mounts ? { mounts: spec.mounts } : {}),
    ...(spec.runFolder ? { runFolder: spec.runFolder } : {}),
  });
  return { command: ["bwrap", ...sandbox, ...limited], workingDir: place.files.folder(id), environment };
}

/** A further command beside that of a run: a health check. */
export function commandBeside(
  run: StoredRun,
  command: readonly string[],
  { files, sandboxPid }: { files: RunFiles; sandboxPid: number | undefined },
): Launch {
  const environment = environmentOf(run, files);
  if (sandboxPid === undefined) {
    return { command: [...command], workingDir: workingDirOf(run), environment };
  }
  return {
    command: enterArguments(sandboxPid, run.spec.workingDir, command),
    workingDir: "/",
    environment,
  };
}

/** The whole environment; nothing of the platform's own is inherited. */
function environmentOf(
  { spec, port, isolated, layerFolder }: StoredRun,
  files: RunFiles,
): { HOME: string; TMPDIR: string; [name: string]: string } {
  const own = files.folder(spec.name);
  return {
    PATH: commandPath,
    LANG: "C.UTF-8",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    HOME: isolated ? "/tmp" : join(own, "home"),
    TMPDIR: isolated ? "/tmp" : join(own, "tmp"),
    DT_WORKSPACE: isolated ? workspace : layerFolder,
    PORT: String(port),
    ...(isolated ? spec.environment : atOwnPaths(spec)),
    [runMark]: spec.name,
  };
}

/** Without a sandbox a folder is seen where it lies: what of the platform's own variables names its place names that. */
function atOwnPaths({ environment, mounts = [], runFolder }: StoredRun["spec"]): Record<string, string> {
  const all = [...mounts, ...(runFolder === undefined ? [] : [{ source: runFolder, target: "/run/dtaas" }])];
  const moved = (value: string): string => {
    const mount = all.find(({ target }) => value === target || value.startsWith(`${target}/`));
    if (!mount || mount.target.startsWith(`${workspace}/`)) return value;
    return `${mount.source}${value.slice(mount.target.length)}`;
  };
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      name.startsWith("DT_PARAM_") ? value : moved(value),
    ]),
  );
}

/** Paths that the platform makes; what the user has written stays as it is. */
function commandOf(run: StoredRun): string[] {
  const [program = "", ...args] = run.spec.command;
  return withEnvironmentFiles([onMachine(run, program), ...args], run.spec.environmentFiles);
}

function workingDirOf(run: StoredRun): string {
  return onMachine(run, run.spec.workingDir);
}

function onMachine({ isolated, layerFolder }: StoredRun, path: string): string {
  if (isolated || (path !== workspace && !path.startsWith(`${workspace}/`))) return path;
  return join(layerFolder, path.slice(workspace.length));
}

/** No core files; a bound on processes where the kernel counts them for each sandbox (not for root). */
async function limits({ isolated, spec }: StoredRun): Promise<string[]> {
  if (!(await hasPrlimit())) return [];
  const counted = isolated && process.getuid?.() !== 0 && countsBySandbox(release());
  return ["prlimit", "--core=0", ...(counted ? [`--nproc=${spec.resources.pids}`] : []), "--"];
}

/** Since Linux 5.14. Before, all processes of the account were counted together. */
export function countsBySandbox(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  return major > 5 || (major === 5 && minor >= 14);
}

let prlimit: Promise<boolean> | undefined;
function hasPrlimit(): Promise<boolean> {
  prlimit ??= promisify(execFile)("prlimit", ["--version"], {
    env: { PATH: commandPath },
    timeout: answerMs,
  }).then(
    () => true,
    () => false,
  );
  return prlimit;
}
