import { spawn } from "node:child_process";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { packageRoot } from "#core/package-root";
import { isAlive, toProcessIdentity } from "#core/process-identity";
import { SerialByKey } from "#core/serial-by-key";
import { sameLabels } from "../container-labels.ts";
import type { Container, ContainerSpec, Containers } from "../engine.ts";
import { commandPath } from "./bubblewrap.ts";
import { phaseOf } from "./events.ts";
import { launchOf } from "./launch.ts";
import type { ProcessLayers } from "./layers.ts";
import { choosePort } from "./listening-ports.ts";
import { killMembers, membersOf, signalAll } from "./members.ts";
import { type RunFiles, type RunState, type StoredRun, writeNow } from "./run-files.ts";
import { readySandbox, sandboxPid } from "./sandbox-pid.ts";

const supervisorProgram = join(packageRoot, "dist", "runner", "engine", "process", "supervise.js");
const startDeadlineMs = 15_000; // a supervisor on a busy machine
const enterDeadlineMs = 5_000; // for the sandbox of another run that has just been started
const killDeadlineMs = 30_000; // for a process the kernel does not let go
const pollMs = 25;
const killedExitCode = 137;

export interface ProcessContainersOptions {
  files: RunFiles;
  data: DataFolder;
  layers: ProcessLayers;
  isolates: () => Promise<boolean>;
  /** Nobody else's commands are run. Absent: everybody's. */
  onlyUser: string | undefined;
}

/** Runs from birth to removal: a folder each, and a supervisor that outlives this process. */
export function processContainers(
  options: ProcessContainersOptions,
): Pick<Containers, "create" | "start" | "stop" | "remove" | "list"> {
  const { files, layers } = options;
  const serial = new SerialByKey();

  async function make(spec: ContainerSpec): Promise<{ id: string }> {
    const existing = await files.run(spec.name);
    if (existing && sameLabels(existing.spec.labels, spec.labels)) return { id: spec.name };
    if (existing) throw new ActionNeededError("NAME_TAKEN", `another run is called ${spec.name}`);
    const layerFolder = await layers.folderOf(spec.layer.id);
    const isolated = await options.isolates();
    if (!isolated) await layers.placeMounts(spec.layer.id, spec.mounts ?? []);
    const port = await portFor(spec);
    await mkdir(files.folder(spec.name), { recursive: true, mode: 0o700 });
    const run: StoredRun = { spec, port, isolated, layerFolder };
    await writeJsonAtomic(files.spec(spec.name), run, 0o600);
    return { id: spec.name };
  }

  /** Its own, that of the run it joins, or the one its author has chosen. */
  async function portFor(spec: ContainerSpec): Promise<number> {
    const chosen = Number(spec.environment["PORT"] ?? Number.NaN);
    if (Number.isInteger(chosen) && chosen > 0 && chosen < 65_536) return chosen;
    const joined = spec.joinContainerId ? await files.run(spec.joinContainerId) : undefined;
    if (joined) return joined.port;
    const taken = new Set<number>();
    for (const id of await files.ids()) taken.add((await files.run(id))?.port ?? 0);
    return await choosePort(taken);
  }

  async function begin(id: string): Promise<void> {
    const run = await files.run(id);
    if (!run || (await files.stateOf(id))) return;
    const claimed = toProcessIdentity(await readJson(files.claim(id)));
    if (claimed === undefined || !isAlive(claimed)) {
      await rm(files.claim(id), { force: true }); // of a supervisor that ended before it started anything
      const joined = run.spec.joinContainerId ? await files.stateOf(run.spec.joinContainerId) : undefined;
      const joins =
        joined && phaseOf(joined) === "running" && run.isolated
          ? await readySandbox(joined, enterDeadlineMs)
          : undefined;
      const place = { files, dataFolder: options.data.root, ...(joins === undefined ? {} : { joins }) };
      writeNow(files.launch(id), await launchOf(run, place));
      await mkdir(files.states, { recursive: true, mode: 0o700 });
      await startSupervisor(files, id);
    }
    const deadline = Date.now() + startDeadlineMs;
    while (!(await files.stateOf(id))) {
      if (Date.now() > deadline) throw new TryLaterError(`${id} does not start`, { retryAfterMs: 2_000 });
      await sleep(pollMs);
    }
  }

  /** What is going on with a run, and its end written down where its supervisor could not. */
  async function stateOf(id: string): Promise<RunState | undefined> {
    const state = await files.stateOf(id);
    if (!state || state.exitCode !== undefined || isAlive(state.supervisor)) return state;
    const again = await files.stateOf(id); // it may have ended well in this moment
    if (!again || again.exitCode !== undefined) return again;
    killMembers(id, state.command && isAlive(state.command) ? state.command : undefined);
    const ended = { ...again, exitCode: killedExitCode, finishedAt: new Date().toISOString() };
    writeNow(files.state(id), ended);
    return ended;
  }

  async function ends(id: string, withinMs: number, meanwhile: (state: RunState) => void): Promise<boolean> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const state = await stateOf(id);
      if (!state || state.exitCode !== undefined) return true;
      meanwhile(state);
      if (Date.now() >= deadline) return false;
      await sleep(Math.min(pollMs, Math.max(1, deadline - Date.now())));
    }
  }

  async function end(id: string, graceMs: number): Promise<void> {
    const run = await files.run(id);
    if (!run) return;
    let asked = false; // once: what a command starts to tidy up is not to be ended with it
    const ask = (state: RunState): void => {
      if (asked || graceMs === 0) return;
      const helpers = run.isolated ? [state.command?.pid, sandboxPid(state)] : [];
      const pids = membersOf(id, state.command).map(({ pid }) => pid);
      const wanted = pids.length > 0 ? pids : state.command ? [state.command.pid] : [];
      const meant = wanted.filter((pid) => !helpers.includes(pid));
      signalAll(meant, "SIGTERM");
      asked = meant.length > 0;
    };
    if (await ends(id, graceMs, ask)) return;
    if (await ends(id, killDeadlineMs, (state) => killMembers(id, state.command))) return;
    throw new TryLaterError(`${id} does not end`, { retryAfterMs: 10_000 });
  }

  return {
    create(spec) {
      const { onlyUser } = options;
      if (onlyUser !== undefined && spec.labels.user !== onlyUser) {
        throw new ActionNeededError(
          "SECOND_USER",
          `twins run as processes of this machine, which are kept apart too little for anybody but ${onlyUser}`,
          { hint: "use a container engine for more than one user: dtaas up --engine docker" },
        );
      }
      return serial.run(spec.name, () => make(spec));
    },

    start: (id) => serial.run(id, () => begin(id)),

    stop: (id, graceMs) => end(id, graceMs),

    async remove(id) {
      if (!(await files.run(id))) return;
      await end(id, 0);
      await serial.run(id, async () => {
        const going = join(files.root, `going-${id}`);
        await rm(going, { recursive: true, force: true });
        if (await files.run(id)) await rename(files.folder(id), going);
        await rm(files.state(id), { force: true });
        await rm(going, { recursive: true, force: true });
      });
    },

    async list(user) {
      const containers: Container[] = [];
      for (const id of await files.ids()) {
        const run = await files.run(id);
        if (!run || (user !== undefined && run.spec.labels.user !== user)) continue;
        containers.push(toContainer(run, await stateOf(id)));
      }
      return containers;
    },
  };
}

function toContainer({ spec }: StoredRun, state: RunState | undefined): Container {
  const { name, labels, imageId } = spec;
  const known = { id: name, name, labels, imageId, changed: false };
  if (!state) return { ...known, state: "created" };
  const { startedAt, finishedAt, exitCode } = state;
  if (exitCode === undefined) return { ...known, state: "running", startedAt };
  const end = finishedAt === undefined ? {} : { finishedAt };
  return { ...known, state: "exited", exitCode, outOfMemory: false, startedAt, ...end };
}

/** Resolves when the command has started, or could not be. */
async function startSupervisor(files: RunFiles, id: string): Promise<void> {
  const folder = files.folder(id);
  const complaints = await open(join(folder, "supervisor.log"), "a", 0o600);
  try {
    const supervisor = spawn(
      process.execPath,
      ["--max-old-space-size=32", supervisorProgram, folder, files.state(id)],
      {
        cwd: folder,
        env: { PATH: commandPath },
        detached: true,
        stdio: ["ignore", complaints.fd, complaints.fd, "pipe"],
      },
    );
    const ready = supervisor.stdio[3];
    await new Promise<void>((resolve, reject) => {
      supervisor.once("error", reject);
      supervisor.once("exit", () => resolve());
      ready?.once("data", () => resolve());
    });
    ready?.destroy();
    supervisor.unref();
  } finally {
    await complaints.close();
  }
}
