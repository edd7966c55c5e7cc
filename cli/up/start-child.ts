import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError } from "#core/errors";
import { rememberChild } from "./leftovers.ts";
import { type TellingLine, tellingLine } from "./log-line.ts";
import { RotatingLog } from "./rotating-log.ts";
import type { Running } from "./running.ts";

const readyDeadlineMs = 60_000; // first start on a slow disk
const stopGraceMs = 20_000; // it ends what it is in the middle of
const keptLines = 5;

export interface ChildOptions {
  name: string;
  /** Path of its main module. */
  script: string;
  args?: string[];
  /** For Node.js itself. */
  nodeFlags?: readonly string[];
  /** Its whole environment: nothing else is inherited. */
  environment: Record<string, string>;
  dataFolder: string;
  /** Whether it answers; asked until it does. */
  isReady(): Promise<boolean>;
  /** Warnings and errors of its log. */
  onTelling(line: TellingLine): void;
}

/**
 * Starts one of the platform's processes and waits until it is ready. What it says goes to `<data>/logs/<name>.log`. One that ends
 * before it is ready is `ActionNeededError("CHILD_NOT_STARTED")` with its last words.
 */
export async function startChild(options: ChildOptions): Promise<Running> {
  const { name } = options;
  const log = new RotatingLog(`${options.dataFolder}/logs/${name}.log`);
  const flags = ["--enable-source-maps", ...(options.nodeFlags ?? [])];
  const child = spawn(process.execPath, [...flags, options.script, ...(options.args ?? [])], {
    cwd: options.dataFolder,
    detached: true, // Ctrl-C is for us; we stop it in its turn
    stdio: ["ignore", "pipe", "pipe"],
    env: options.environment,
  });
  const lastWords: string[] = [];
  let isUp = false;
  const read = (line: string): void => {
    log.write(line);
    const telling = tellingLine(line);
    if (telling === undefined) return;
    lastWords.push(telling.text);
    if (lastWords.length > keptLines) lastWords.shift();
    if (isUp) options.onTelling(telling);
  };
  createInterface({ input: child.stdout }).on("line", read);
  createInterface({ input: child.stderr }).on("line", read);
  let ended: string | undefined;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      if (ended !== undefined) return;
      ended = how;
      log.close();
      resolve(how);
    };
    child.once("error", (error) => end(`${name} could not be started: ${error.message}`));
    child.once("close", (code, signal) => end(`${name} ended with ${signal ?? `exit code ${code}`}`));
  });
  await rememberChild(options.dataFolder, name, child.pid);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
    await exited;
    clearTimeout(timer);
    await rememberChild(options.dataFolder, name, undefined);
  };
  const deadline = Date.now() + readyDeadlineMs;
  while (ended === undefined && Date.now() < deadline) {
    if (await options.isReady()) {
      isUp = true;
      return { exited, stop };
    }
    await Promise.race([delay(50), exited]);
  }
  const how = ended ?? `${name} was not ready after ${readyDeadlineMs / 1000} s`;
  await stop();
  throw new ActionNeededError("CHILD_NOT_STARTED", [how, ...lastWords].join("\n  "), {
    hint: `its log is ${options.dataFolder}/logs/${name}.log`,
  });
}

/** True when `GET url` answers with success within two seconds. */
export async function answersOk(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
