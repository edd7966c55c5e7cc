import { messageOf } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import { planWorkspace, stopsIdleAtMs, uncountable } from "#planning/plan-workspace";
import { enterStage, type WorkspaceMemory } from "#planning/workspace-memory";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import type { WorkspaceContainer } from "../engine/workspace-containers.ts";
import { Wakes } from "../queue/wakes.ts";
import type { Runner } from "../twins/runner.ts";
import { Activity } from "./activity.ts";
import { applyWorkspaceStep, logKey } from "./apply-workspace-step.ts";
import { GitRelay } from "./git-relay.ts";
import { type BuildSessionImage, ImageTasks } from "./image-tasks.ts";
import { observeWorkspace, type SeenWorkspace } from "./observe-workspace.ts";
import { ToolProxies } from "./tool-proxy.ts";
import { WorkTrees } from "./work-trees.ts";
import { WorkspaceDisk } from "./workspace-disk.ts";
import { WorkspaceFiles } from "./workspace-files.ts";
import type { WorkspaceParts } from "./workspace-parts.ts";

// A plan that does not settle within this many rounds goes on a little later.
const maxRounds = 12;
const errorRetryMs = 3_000;
// How often all workspaces are compared with what was published: one question to the engine.
const watchMs = 2_000;
const upgraded = "its template, or the image it is made from, has been upgraded; the next start brings it";
const unsupported = "workspaces need a container engine; here twins run as processes";

/** Makes of workspaces what their requests say, and publishes what is seen. */
export interface Workspaces {
  /** Looks at one user's workspace, plans and acts until nothing is left to do now. */
  look(user: string): Promise<void>;
  close(): Promise<void>;
}

/** Begins to look after workspaces. Those that run go on when it is closed. */
export async function startWorkspaces(parts: {
  runner: Runner;
  build: BuildSessionImage;
  controllerUrl: string;
}): Promise<Workspaces> {
  const { runner } = parts;
  const files = new WorkspaceFiles(runner.data);
  const containers = runner.engine.workspaces;
  const looker = containers
    ? new Looker({
        runner,
        containers,
        files,
        images: new ImageTasks({ images: runner.engine.images, containers, build: parts.build }),
        workTrees: new WorkTrees(containers),
        relay: new GitRelay(parts.controllerUrl, runner.logger),
        proxies: new ToolProxies(runner.logger),
        activity: new Activity(containers),
        disk: new WorkspaceDisk(containers, runner.logger),
        serving: new Set(),
        stopping: new Set(),
      })
    : undefined;
  const refuse = (user: string) => refuseWorkspace(files, user);
  const timer = setInterval(() => void (looker ? looker.watch() : lookAtEach(refuse)), watchMs);
  const lookAtEach = async (look: (user: string) => Promise<void>) => {
    for (const user of await files.users()) {
      await look(user).catch((error: unknown) =>
        runner.logger.warn({ user, err: messageOf(error) }, "a workspace could not be looked at"),
      );
    }
  };
  void lookAtEach((user) => (looker ? looker.look(user) : refuse(user)));
  return {
    look: (user) => (looker ? looker.look(user) : refuse(user)),
    close: async () => {
      clearInterval(timer);
      await looker?.close();
    },
  };
}

class Looker {
  readonly #parts: WorkspaceParts;
  readonly #serial = new SerialByKey();
  readonly #wakes = new Wakes((user) => void this.look(user));
  /** Generation of each user's desired-state document when it was looked at last. */
  readonly #desired = new Map<string, number | undefined>();
  /** Looks that have begun or wait for their turn. */
  readonly #underway = new Set<Promise<void>>();
  #closed = false;
  #watching = false;

  constructor(parts: Omit<WorkspaceParts, "nudge">) {
    this.#parts = { ...parts, nudge: (user) => void this.look(user) };
  }

  look(user: string): Promise<void> {
    const looking = this.#serial.run(user, async () => {
      if (this.#closed) return;
      try {
        await this.#look(user);
      } catch (error) {
        const { logger } = this.#parts.runner;
        logger.warn({ user, err: messageOf(error) }, "a workspace could not be looked at; tried again soon");
        this.#wakes.at(user, Date.now() + errorRetryMs);
      }
    });
    this.#underway.add(looking);
    return looking.finally(() => this.#underway.delete(looking));
  }

  /** Looks at whoever differs from what was published, and whose work tree or idle time is due. */
  async watch(): Promise<void> {
    if (this.#watching || this.#closed) return;
    this.#watching = true;
    const { containers, files, runner } = this.#parts;
    try {
      const all = await containers.list();
      const users = await files.users();
      for (const user of users) {
        const mine = all.filter((one) => one.user === user);
        await this.#watchOne(user, mine).catch((error: unknown) =>
          // Of this user alone: everybody else is looked at all the same.
          runner.logger.warn(
            { user, err: messageOf(error) },
            "a workspace could not be watched; tried again soon",
          ),
        );
      }
      for (const { id, user } of all.filter((one) => !users.includes(one.user))) {
        runner.logger.warn({ user }, "a workspace that nobody asked for is removed");
        await runner.engine.containers.remove(id);
      }
    } catch (error) {
      runner.logger.debug({ err: messageOf(error) }, "workspaces could not be watched; tried again soon");
    } finally {
      this.#watching = false;
    }
  }

  async #watchOne(user: string, mine: readonly WorkspaceContainer[]): Promise<void> {
    const { files, runner, workTrees, disk } = this.#parts;
    const [request, observed] = await Promise.all([files.request(user), files.observed(user)]);
    const running = mine.find(({ state }) => state === "running");
    const desired = await runner.desired.get(user);
    // What may be read of shared assets stands in the other document; a nudge about it may have been lost with Redis.
    const isNews =
      request?.generation !== observed?.generation || this.#desired.get(user) !== desired?.generation;
    this.#desired.set(user, desired?.generation);
    const isOff = observed?.state === "ready" ? !running : mine.length > 0 || observed?.state !== "stopped";
    if (isNews || (isOff && observed?.state !== "failed")) void this.look(user);
    else if (running && observed?.state === "ready") {
      disk.look(user, request?.resources.diskBytes !== undefined, () => void this.look(user));
      workTrees.sync(running.id, desired?.revision, () => void this.look(user));
      if (request?.idleStopAfterMs !== undefined) void this.look(user);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#parts.images.close();
    await Promise.all(this.#underway);
    this.#wakes.close();
    await Promise.all([this.#parts.relay.closeAll(), this.#parts.proxies.closeAll()]);
  }

  async #look(user: string): Promise<void> {
    const { files, runner } = this.#parts;
    for (let round = 1; round <= maxRounds; round += 1) {
      const request = await files.request(user);
      if (!request) return;
      const before = await files.memory(user, request.session);
      const seen = await observeWorkspace(this.#parts, request, before);
      const plan = planWorkspace(seen.facts);
      const isEnding = plan.steps.some(({ kind }) => kind === "end-session");
      let memory = isEnding ? seen.facts.memory : enterStage(seen.facts.memory, plan.state, seen.facts.nowMs);
      if (memory !== before) await files.remember(user, memory);
      if (!isEnding) await this.#publish(request, { ...seen, facts: { ...seen.facts, memory } }, plan);
      if (seen.container?.state === "running") {
        const { session } = request;
        runner.logs.follow(logKey(user, session), seen.container.id, files.logFolder(user, session));
      }
      let again = false;
      for (const step of plan.steps) {
        const done = await applyWorkspaceStep(this.#parts, request, memory, step);
        if (done.memory !== memory) await files.remember(user, done.memory);
        memory = done.memory;
        again ||= done.again;
      }
      if (plan.wakeAtMs !== undefined) this.#wakes.at(user, plan.wakeAtMs);
      if (!again) return;
    }
    this.#wakes.at(user, Date.now() + errorRetryMs);
  }

  /** Would its image be another one today? */
  async #isBehind(hash: string, imageId: string): Promise<boolean> {
    return (await this.#parts.runner.engine.images.find(hash)) !== imageId;
  }

  async #publish(
    request: WorkspaceRequest,
    seen: SeenWorkspace,
    plan: { state: ObservedWorkspace["state"]; reason?: string },
  ): Promise<void> {
    const { files, images } = this.#parts;
    const { facts, container, tree, port, services } = seen;
    const before = await files.observed(request.user);
    const hash = await images.hash(request).catch(() => undefined);
    const isReady = plan.state === "ready";
    const behind =
      isReady && container && hash !== undefined && (await this.#isBehind(hash, container.imageId));
    const idleAtMs = isReady ? stopsIdleAtMs(facts) : undefined;
    const now = new Date(facts.nowMs).toISOString();
    const next: ObservedWorkspace = {
      version: 1,
      user: request.user,
      generation: request.generation,
      session: request.session,
      observedAt: now,
      state: plan.state,
      since: facts.memory.stages.at(-1)?.startedAt ?? now,
      ...(plan.reason === undefined ? {} : { reason: plan.reason.slice(0, 2_000) }),
      stages: facts.memory.stages,
      ...(hash === undefined ? {} : { imageHash: hash }),
      ...(container ? { imageId: container.imageId, containerId: container.id } : {}),
      ...(behind ? { behind: upgraded } : {}),
      ...(port === undefined ? {} : { port }),
      services: isReady ? services : [],
      ...(tree ? { workTree: tree } : {}),
      ...diskOf(this.#parts.disk.used(request.user), request.resources.diskBytes),
      ...lastActive(facts.memory),
      ...(idleAtMs === undefined ? {} : { stopsIdleAt: new Date(idleAtMs).toISOString() }),
    };
    const essence = ({ observedAt: _at, ...rest }: ObservedWorkspace) => JSON.stringify(rest);
    if (before && essence(before) === essence(next)) return;
    await files.publish(next);
    if (before?.state === next.state && before.session === next.session) return;
    const told = { user: next.user, state: next.state, ...(plan.reason ? { reason: plan.reason } : {}) };
    this.#parts.runner.logger.info(told, "workspace");
  }
}

function diskOf(
  usedBytes: number | undefined,
  limitBytes: number | undefined,
): Pick<ObservedWorkspace, "disk"> {
  if (usedBytes === undefined || usedBytes === uncountable) return {};
  return { disk: { usedBytes, ...(limitBytes === undefined ? {} : { limitBytes }) } };
}

function lastActive({ lastActiveMs }: WorkspaceMemory): { lastActiveAt?: string } {
  return lastActiveMs === undefined ? {} : { lastActiveAt: new Date(lastActiveMs).toISOString() };
}

/** Where the engine has no workspaces, whoever asks for one is told so. */
async function refuseWorkspace(files: WorkspaceFiles, user: string): Promise<void> {
  const request = await files.request(user);
  if (!request) return;
  const isWanted = request.state === "running";
  const before = await files.observed(user);
  if (before?.generation === request.generation) return;
  const now = new Date().toISOString();
  await files.publish({
    version: 1,
    user,
    generation: request.generation,
    session: request.session,
    observedAt: now,
    state: isWanted ? "failed" : "stopped",
    since: now,
    ...(isWanted ? { reason: unsupported } : {}),
    stages: [],
    services: [],
  });
}
