import { spawn } from "node:child_process";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { identifyProcess, isAlive, type ProcessIdentity, toProcessIdentity } from "#core/process-identity";
import { endProcess } from "../processes/end-process.ts";
import { findCommand, systemPath } from "../processes/find-command.ts";
import { runCommand } from "../processes/run-command.ts";
import type { EngineAddress } from "./engine-address.ts";
import { pingEngine, runningContainers } from "./ping-engine.ts";

const startDeadlineMs = 60_000; // a first start makes its network and storage
const adoptedPollMs = 1_000;
const stopGraceMs = 30_000; // it stops what runs in it first

/** An engine that we brought up and that goes when we go. */
export interface StartedEngine {
  how: "systemd" | "own process";
  /** Resolves with one sentence once it has ended, whoever ended it. Never under systemd, which starts it again itself. */
  exited: Promise<string>;
  /** Another one in place of one that has ended; throws as the first start does. */
  startAgain(): Promise<StartedEngine>;
  /** Stops it, unless containers of somebody run in it: their names are returned and it stays up. */
  stop(): Promise<{ keptFor: string[] }>;
}

export interface DockerdOptions {
  address: EngineAddress;
  folder: string;
  hasSystemd: boolean;
  /** Its whole environment; `dockerd` is looked for in its `PATH`. */
  environment: Record<string, string>;
}

/**
 * Starts Debian's `dockerd` and waits until it answers at `address`: through systemd where that runs, else as a detached process with
 * its log, process file and memory in `folder`. `ActionNeededError("ENGINE_NOT_STARTED")` with the last words of the log.
 */
export async function startDockerd(options: DockerdOptions): Promise<StartedEngine> {
  return options.hasSystemd ? startService(options.address) : startProcess(options);
}

/** The engine that answers now, when it is one that a former start in this folder left behind; else `undefined`. */
export async function adoptDockerd(options: DockerdOptions): Promise<StartedEngine | undefined> {
  const { folder } = options;
  const memory = memoryPath(folder);
  const value = await readJson(memory).catch(() => undefined);
  const { server, owner } = (value ?? {}) as { server?: unknown; owner?: unknown };
  const serverIdentity = toProcessIdentity(server);
  const ownerIdentity = toProcessIdentity(owner);
  if (serverIdentity === undefined || !isAlive(serverIdentity)) return undefined;
  if (ownerIdentity !== undefined && isAlive(ownerIdentity)) return undefined; // somebody else's to stop
  await remember(folder, serverIdentity.pid);
  return controlProcess(options, serverIdentity.pid, ended(serverIdentity));
}

async function startService(address: EngineAddress): Promise<StartedEngine> {
  const systemctl = (verb: string) =>
    runCommand("systemctl", [verb, "docker.service"], {
      environment: { PATH: systemPath, LC_ALL: "C" },
      deadlineMs: startDeadlineMs,
    });
  const started = await systemctl("start");
  const up = started.code === 0 && (await answers(address, () => true));
  if (!up) throw notStarted(started.lines, "journalctl -u docker.service");
  return {
    how: "systemd",
    exited: new Promise(() => undefined),
    startAgain: () => startService(address),
    stop: async () => {
      const keptFor = await runningContainers(address).catch(() => []);
      if (keptFor.length === 0) await systemctl("stop");
      return { keptFor };
    },
  };
}

async function startProcess(options: DockerdOptions): Promise<StartedEngine> {
  const { address, folder } = options;
  const dockerd = await findCommand("dockerd", options.environment["PATH"] ?? systemPath);
  if (dockerd === undefined) throw notStarted(["dockerd is not installed"], "apt-get install docker.io");
  await mkdir(folder, { recursive: true });
  const pidFile = join(folder, "dockerd.pid");
  await rm(pidFile, { force: true }); // dockerd takes any process with that number for itself
  const logPath = join(folder, "dockerd.log");
  await rename(logPath, `${logPath}.1`).catch(() => undefined); // why the last one died
  const log = await open(logPath, "w", 0o600);
  const child = spawn(dockerd, ["--pidfile", pidFile, "--host", address.text], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: options.environment,
  });
  let hasEnded = false;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      hasEnded = true;
      resolve(how);
    };
    child.once("error", (error) => end(`dockerd could not be started: ${error.message}`));
    child.once("exit", (code, signal) => end(`dockerd ended with ${signal ?? `exit code ${code}`}`));
  });
  child.unref();
  await log.close(); // after the listeners: one that ends at once must not be waited for
  const up = await answers(address, () => !hasEnded);
  if (!up || child.pid === undefined) {
    child.kill();
    const text = await readFile(logPath, "utf8").catch(() => "");
    throw notStarted(text.trimEnd().split("\n"), `less ${logPath}`);
  }
  await remember(folder, child.pid);
  return controlProcess(options, child.pid, exited);
}

function controlProcess(options: DockerdOptions, pid: number, exited: Promise<string>): StartedEngine {
  const { address, folder } = options;
  const identity = identifyProcess(pid);
  return {
    how: "own process",
    exited,
    startAgain: () => startProcess(options),
    stop: async () => {
      const keptFor = await runningContainers(address).catch(() => []);
      if (keptFor.length > 0) return { keptFor };
      if (identity !== undefined) await endProcess(identity, stopGraceMs);
      await rm(memoryPath(folder), { force: true });
      return { keptFor };
    },
  };
}

/** Of a process that is not our child, so that nobody tells us. */
async function ended(server: ProcessIdentity): Promise<string> {
  while (isAlive(server)) await delay(adoptedPollMs, undefined, { ref: false });
  return "dockerd ended";
}

async function answers(address: EngineAddress, goesOn: () => boolean): Promise<boolean> {
  const deadline = Date.now() + startDeadlineMs;
  while (goesOn() && Date.now() < deadline) {
    if ((await pingEngine(address)).state === "up") return true;
    await delay(100);
  }
  return false;
}

function memoryPath(folder: string): string {
  return join(folder, "dockerd.json");
}

async function remember(folder: string, pid: number): Promise<void> {
  const server = identifyProcess(pid);
  const owner = identifyProcess(process.pid);
  await writeJsonAtomic(memoryPath(folder), { ...(server && { server }), ...(owner && { owner }) });
}

function notStarted(lines: string[], look: string): ActionNeededError {
  const telling = lines
    .filter((line) => /level=(error|fatal)|failed|error|not installed/i.test(line))
    .slice(-3);
  const words = (telling.length > 0 ? telling : lines.slice(-3)).join("; ").slice(0, 600);
  return new ActionNeededError(
    "ENGINE_NOT_STARTED",
    `the Docker engine did not start: ${words || "it said nothing"}`,
    {
      hint: look,
    },
  );
}
