import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError, messageOf } from "#core/errors";
import type { Finding } from "#embedded/machine/finding";
import type { Machine } from "#embedded/machine/machine";
import { inspectMachine } from "#embedded/machine/prepare-machine";
import { findCommand, systemPath } from "#embedded/processes/find-command";
import { runCommand } from "#embedded/processes/run-command";
import { folderHolder } from "../up/folder-lock.ts";

const minFreeBytes = 2 * 1024 ** 3; // the base image, one workspace image and some room
const answerMs = 10_000;

/** Looks at everything the platform needs here. Changes nothing. */
export async function diagnose(machine: Machine, dataFolder: string): Promise<Finding[]> {
  return [
    nodeVersion(process.versions.node),
    await git(machine),
    ...(await inspectMachine(machine)),
    await room(dataFolder),
    await platform(dataFolder),
  ];
}

/** Node.js 20.19 or a newer even release. */
export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isGood = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (isGood) return { name: "node", state: "ok", detail: `Node.js ${version}` };
  return {
    name: "node",
    state: "missing",
    detail: `Node.js ${version} is too old or not supported: 20.19 or newer, 22.12 or newer`,
    command: "install Node.js 22 or 24",
  };
}

async function git(machine: Machine): Promise<Finding> {
  const path = await findCommand("git", machine.searchPath);
  if (path === undefined) {
    const sudo = machine.isRoot ? "" : "sudo ";
    return {
      name: "git",
      state: "missing",
      detail: "git is not installed",
      command: `${sudo}apt-get install -y git`,
    };
  }
  const shown = await runCommand(path, ["--version"], {
    environment: { PATH: systemPath },
    deadlineMs: answerMs,
  });
  return { name: "git", state: "ok", detail: shown.stdout.trim() };
}

async function room(dataFolder: string): Promise<Finding> {
  try {
    const disk = await statfs(await existing(dataFolder));
    const freeBytes = disk.bavail * disk.bsize;
    const free = `${(freeBytes / 1024 ** 3).toFixed(1)} GB free for ${dataFolder}`;
    if (freeBytes >= minFreeBytes) return { name: "disk", state: "ok", detail: free };
    return {
      name: "disk",
      state: "missing",
      detail: free,
      command: "docker image prune, or --data on another disk",
    };
  } catch (error) {
    return { name: "disk", state: "missing", detail: messageOf(error), command: `mkdir -p ${dataFolder}` };
  }
}

async function existing(path: string): Promise<string> {
  try {
    await statfs(path);
    return path;
  } catch (error) {
    if (isSystemError(error, "ENOENT") && dirname(path) !== path) return existing(dirname(path));
    throw error;
  }
}

/** Whether it is up is news, not a fault: it is always `ok`. */
async function platform(dataFolder: string): Promise<Finding> {
  const holder = await folderHolder(dataFolder);
  return {
    name: "platform",
    state: "ok",
    detail: holder === undefined ? "not up: npm start" : `up, process ${holder.pid}`,
  };
}
