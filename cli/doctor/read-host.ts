import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readTextIfThere } from "#core/atomic-file";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import { packageRoot } from "#core/package-root";
import type { Machine } from "#embedded/machine/machine";
import { findCommand, systemPath } from "#embedded/processes/find-command";
import { isPortFree } from "#embedded/processes/free-port";
import { runCommand } from "#embedded/processes/run-command";
import { refuseFolder } from "#runner/engine/docker/layers";
import { machineApt } from "#runner/images/machine-apt";
import { readMachinePip } from "#runner/images/machine-pip";
import type { EngineName, UpConfig } from "../up/config.ts";

const answerMs = 10_000;

/** What is so on this machine; judged elsewhere, so that tests may say something else. */
export interface HostFacts {
  isRoot: boolean;
  /** Version of the Node.js that runs now. */
  node: string;
  /** What `git --version` says. */
  git: string | undefined;
  dataFolder: string;
  /** Why it cannot be used. */
  folderProblem: { detail: string; means: string; command: string } | undefined;
  disk: { freeBytes: number; freeInodes: number; inodes: number } | undefined;
  nowMs: number;
  /** Other clocks and times. `isOnlyPast`: now cannot be before it. */
  clocks: { what: string; atMs: number; isOnlyPast?: true }[];
  ports: { what: string; port: number; isFree: boolean; isAsked: boolean }[];
  /** Limits of this user on watched files; `undefined` where there are none. */
  watches: number | undefined;
  instances: number | undefined;
  /** Has this machine's apt any source? */
  apt: boolean;
  /** What this machine's pip is set to, in words, without addresses. */
  pip: string;
}

const defaultPorts = { http: 8080, forge: 8929 } as const;

/** Looks; changes nothing. `isUp`: the platform runs on this folder, and its ports are its own. */
export async function readHost(
  config: Pick<UpConfig, "dataFolder" | "port" | "forgePort" | "environment">,
  machine: Machine,
  { engine, isUp }: { engine: EngineName; isUp: boolean },
): Promise<HostFacts> {
  const { dataFolder } = config;
  const [nearest, builtAt] = await Promise.all([
    existing(dataFolder),
    fileTime(join(packageRoot, "package.json")),
  ]);
  const writtenAt = await fileTime(join(dataFolder, "journal"));
  const past = (what: string, atMs: number | undefined) =>
    atMs === undefined ? [] : [{ what, atMs, isOnlyPast: true as const }];
  return {
    isRoot: machine.isRoot,
    node: process.versions.node,
    git: await gitVersion(machine),
    dataFolder,
    folderProblem: await folderProblem(dataFolder, nearest, engine),
    disk: await room(nearest),
    nowMs: Date.now(),
    clocks: [...past("the files of this program", builtAt), ...past("the data folder", writtenAt)],
    ports: isUp ? [] : await ports(config),
    watches: await limit("max_user_watches"),
    instances: await limit("max_user_instances"),
    apt: await machineApt(config.environment)
      .hasSources()
      .catch(() => false),
    pip: await pipInWords(config.environment),
  };
}

async function gitVersion(machine: Machine): Promise<string | undefined> {
  const path = await findCommand("git", machine.searchPath);
  if (path === undefined) return undefined;
  const environment = { PATH: systemPath, LC_ALL: "C" };
  const shown = await runCommand(path, ["--version"], { environment, deadlineMs: answerMs });
  return shown.code === 0 ? shown.stdout.trim() : undefined;
}

async function folderProblem(
  dataFolder: string,
  nearest: string,
  engine: EngineName,
): Promise<HostFacts["folderProblem"]> {
  try {
    if (engine === "docker") refuseFolder(dataFolder);
    await access(nearest, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (error instanceof ActionNeededError) {
      const means = "the engine cannot mount layers of twins from there";
      return { detail: error.message, means, command: `npm start -- --data <folder>: ${error.hint}` };
    }
    const detail = `${nearest} may not be written by this user: ${messageOf(error)}`;
    const means = "the platform keeps everything there";
    return { detail, means, command: `sudo chown -R "$USER" '${nearest}', or --data on another folder` };
  }
}

async function room(nearest: string): Promise<HostFacts["disk"]> {
  const found = await statfs(nearest).catch(() => undefined);
  return found && { freeBytes: found.bavail * found.bsize, freeInodes: found.ffree, inodes: found.files };
}

/** The folder itself, or the nearest one above it that is there. */
async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const isThere = !isSystemError(error, "ENOENT") && !isSystemError(error, "ENOTDIR");
    return isThere || dirname(path) === path ? path : existing(dirname(path));
  }
}

async function fileTime(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}

async function ports(config: Pick<UpConfig, "port" | "forgePort">): Promise<HostFacts["ports"]> {
  const wanted = [
    { what: "the API", asked: config.port, preset: defaultPorts.http },
    { what: "the embedded Git host", asked: config.forgePort, preset: defaultPorts.forge },
  ];
  return await Promise.all(
    wanted.map(async ({ what, asked, preset }) => {
      const port = asked ?? preset;
      return { what, port, isFree: await isPortFree(port), isAsked: asked !== undefined };
    }),
  );
}

async function limit(name: string): Promise<number | undefined> {
  const text = await readTextIfThere(`/proc/sys/fs/inotify/${name}`).catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

async function pipInWords(environment: UpConfig["environment"]): Promise<string> {
  const pip = await readMachinePip(environment);
  if (pip.noIndex) return "no index";
  const more = pip.extraIndexUrls.length + pip.findLinks.length;
  if (pip.indexUrl === undefined && more === 0) return "default";
  const own = pip.indexUrl === undefined ? "its default index" : "an index of its own";
  return more === 0 ? own : `${own} and ${more} more places`;
}
