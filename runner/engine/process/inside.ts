import { spawn } from "node:child_process";
import { constants, createReadStream } from "node:fs";
import { lstat, open, readdir, realpath } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { isSystemError } from "#core/errors";
import type { Containers } from "../engine.ts";
import { phaseOf } from "./events.ts";
import { commandBeside } from "./launch.ts";
import { listeningPorts } from "./listening-ports.ts";
import { membersOf, signalAll } from "./members.ts";
import type { RunFiles, RunState, StoredRun } from "./run-files.ts";
import { readySandbox } from "./sandbox-pid.ts";

const timedOut = 124; // as timeout(1) says
const notRunning = 125; // as an engine says that could not do it
const notFound = 127; // as a shell says
const workspace = "/workspace";
const enterDeadlineMs = 5_000; // a sandbox that has just been started on a busy machine

/** What happens inside a run: its files, ports, and commands in it. */
export function processInside(files: RunFiles): Pick<Containers, "read" | "endpoint" | "exec"> {
  async function running(id: string): Promise<{ run: StoredRun; state: RunState } | undefined> {
    const [run, state] = [await files.run(id), await files.stateOf(id)];
    return run && state && phaseOf(state) === "running" ? { run, state } : undefined;
  }

  return {
    async read(id, path) {
      const run = await files.run(id);
      return run ? archiveOf(run, posix.normalize(path)) : undefined;
    },

    async endpoint(id, port) {
      const found = await running(id);
      if (!found) return undefined;
      const pids = membersOf(id, found.state.command).map((member) => member.pid);
      // A twin that heeds PORT listens there; one that does not has taken the port it was written for.
      const keeps = port !== found.run.port && listeningPorts(pids).has(port);
      return { host: "127.0.0.1", port: keeps ? port : found.run.port };
    },

    async exec(id, command, timeoutMs) {
      const found = await running(id);
      if (!found) return notRunning;
      const deadline = Math.min(timeoutMs, enterDeadlineMs);
      const inside = found.run.isolated ? await readySandbox(found.state, deadline) : undefined;
      if (found.run.isolated && inside === undefined) return notRunning;
      const launch = commandBeside(found.run, command, { files, sandboxPid: inside });
      const [program = "", ...args] = launch.command;
      const child = spawn(program, args, {
        cwd: launch.workingDir,
        env: launch.environment,
        detached: true,
        stdio: "ignore",
      });
      return await new Promise((resolve) => {
        let late = false;
        const timer = setTimeout(() => {
          late = true;
          if (child.pid !== undefined) signalAll([-child.pid], "SIGKILL");
        }, timeoutMs);
        const end = (code: number) => {
          clearTimeout(timer);
          resolve(late ? timedOut : code);
        };
        child.once("error", () => end(notFound));
        child.once("exit", (code, signal) => end(code ?? 128 + (signal === "SIGKILL" ? 9 : 15)));
      });
    },
  };
}

/** Files of the layer only: other places of a run end with it. Links lead nowhere. */
async function archiveOf(run: StoredRun, path: string): Promise<NodeJS.ReadableStream | undefined> {
  if (path !== workspace && !path.startsWith(`${workspace}/`)) return undefined;
  const root = await realpath(run.layerFolder).catch(() => undefined);
  if (root === undefined) return undefined;
  const start = await realpath(join(root, path.slice(workspace.length))).catch(() => undefined);
  if (start === undefined || (start !== root && !start.startsWith(`${root}/`))) return undefined;
  const archive = pack();
  void addTree(archive, start, basename(path)).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error as Error),
  );
  return Readable.from(archive, { objectMode: false });
}

async function addTree(archive: Pack, path: string, name: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    for (const child of (await readdir(path)).sort())
      await addTree(archive, join(path, child), `${name}/${child}`);
  } else if (found?.isFile()) await addFile(archive, path, name);
}

async function addFile(archive: Pack, path: string, name: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ELOOP")) return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    const { size, mtime } = await file.stat();
    const entry = archive.entry({ name, size, mtime, mode: 0o644 });
    if (size === 0) {
      entry.end("");
      return;
    }
    // Never more than was promised, should somebody still write to it.
    const content = createReadStream("", { fd: file.fd, autoClose: false, start: 0, end: size - 1 });
    await pipeline(content, entry);
  } finally {
    await file.close();
  }
}
