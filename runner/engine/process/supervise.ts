import { spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { basename } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { isSystemError } from "#core/errors";
import { identifyProcess } from "#core/process-identity";
import type { LogLine } from "#schemas/run";
import { killMembers, signalAll } from "./members.ts";
import { type Launch, type RunState, writeNow } from "./run-files.ts";

// Started by the engine for each run, in a session of its own, and outlives it: starts the command, writes down what it
// prints and how it ends. Arguments: folder of the run, path of its state. Says a line on descriptor 3 when it has started.

const readyDescriptor = 3;
const maxLineChars = 16 * 1024; // longer lines come in parts
const maxLogBytes = 64 * 1024 * 1024; // what comes later is not kept; the runner keeps less than this
const drainMs = 1_000; // somebody who was not found may hold the output open

const [, , folder = "", statePath = ""] = process.argv;
const id = basename(folder);
const supervisor = identifyProcess(process.pid) ?? { pid: process.pid };

let lastNano = 0n;
let logBytes = 0;

function claim(): boolean {
  try {
    writeFileSync(`${folder}/claim.json`, JSON.stringify(supervisor), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (isSystemError(error, "EEXIST")) return false; // somebody else supervises this run
    throw error;
  }
}

/** Strictly growing, so that each line has a time of its own. */
function now(): string {
  const wall = BigInt(Date.now()) * 1_000_000n;
  lastNano = wall > lastNano ? wall : lastNano + 1n;
  const iso = new Date(Number(lastNano / 1_000_000n)).toISOString();
  return `${iso.slice(0, 19)}.${String(lastNano % 1_000_000_000n).padStart(9, "0")}Z`;
}

function append(lines: LogLine[]): void {
  if (lines.length === 0 || logBytes > maxLogBytes) return;
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  logBytes += Buffer.byteLength(text);
  try {
    appendFileSync(`${folder}/log.ndjson`, text, { mode: 0o600 });
  } catch (error) {
    if (!isSystemError(error, "ENOSPC") && !isSystemError(error, "ENOENT")) throw error;
  }
}

function collect(stream: NodeJS.ReadableStream, name: "out" | "err"): { flush(): void } {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string, isEnd: boolean): void => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    while (rest.length >= maxLineChars || (isEnd && rest !== "")) {
      parts.push(rest.slice(0, maxLineChars));
      rest = rest.slice(maxLineChars);
    }
    append(
      parts.flatMap((part) => {
        const lines: LogLine[] = [];
        for (let at = 0; at < part.length || at === 0; at += maxLineChars) {
          lines.push({ at: now(), stream: name, text: part.slice(at, at + maxLineChars) });
        }
        return lines;
      }),
    );
  };
  stream.on("data", (chunk: Buffer) => take(decoder.write(chunk), false));
  return { flush: () => take(decoder.end(), true) };
}

function write(state: RunState): void {
  try {
    writeNow(statePath, state);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`); // the engine finds out that this process is gone, and says so
  }
}

function sayReady(): void {
  try {
    writeSync(readyDescriptor, "started\n");
    closeSync(readyDescriptor);
  } catch {
    // whoever started us has gone; we stay
  }
}

function supervise(): void {
  const { command, workingDir, environment } = JSON.parse(
    readFileSync(`${folder}/launch.json`, "utf8"),
  ) as Launch;
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: workingDir,
    env: environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const streams = [collect(child.stdout, "out"), collect(child.stderr, "err")];
  const startedAt = now();
  const identity = child.pid === undefined ? undefined : (identifyProcess(child.pid) ?? { pid: child.pid });
  const state: RunState = { supervisor, ...(identity ? { command: identity } : {}), startedAt };

  const end = (exitCode: number): void => {
    for (const stream of streams) stream.flush();
    write({ ...state, exitCode, finishedAt: now() });
    process.exit(0);
  };
  child.once("error", (error) => {
    if (child.pid !== undefined) return;
    append([{ at: now(), stream: "err", text: `cannot run ${program} in ${workingDir}: ${error.message}` }]);
    write(state);
    sayReady();
    end(127);
  });
  child.once("exit", (code, signal) => {
    const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    killMembers(id, identity); // what the command left behind ends with it
    const timer = setTimeout(() => end(exitCode), drainMs);
    child.once("close", () => {
      clearTimeout(timer);
      end(exitCode);
    });
  });
  if (identity === undefined) return;
  write(state);
  sayReady();
  // The machine goes down, or somebody means us: the command is to end well.
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(name, () => signalAll([-identity.pid], "SIGTERM"));
  }
}

if (claim()) {
  openSync(`${folder}/log.ndjson`, "a", 0o600);
  supervise();
}
