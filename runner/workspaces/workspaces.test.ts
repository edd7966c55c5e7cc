import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { dataFolder } from "#core/data-folder";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { createLogger } from "#core/logger";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import { renderWorkspace } from "#templates/render-workspace";
import { composeRunner } from "../compose-runner.ts";
import type { Engine } from "../engine/engine.ts";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { FakeWorld } from "../engine/fake/fake-world.ts";
import type {
  WorkspaceContainer,
  WorkspaceContainerSpec,
  WorkspaceContainers,
} from "../engine/workspace-containers.ts";
import { runnerMetrics } from "../metrics.ts";
import { startWorkspaces, type Workspaces } from "./workspaces.ts";

const within = { timeout: 20_000, interval: 10 };
const logger = createLogger("test", "silent");
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Dies at the n-th call to the engine: before the call is made, or after it was. */
interface Death {
  at: number;
  when: "before" | "after";
  died: boolean;
}

/** A data folder, an engine that pretends, and tools that answer; processes of the runner come and go over them. */
async function startWorld() {
  const data = dataFolder(await mkdtemp(join(tmpdir(), "workspaces-")));
  closing.push(() => rm(data.root, { recursive: true, force: true }));
  // Every address in 127/8 is this machine's; the tools of a template listen on a port that is given.
  const address = `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(2, 255)}`;
  await listen(
    createServer((_request, response) => response.end("tools")),
    address,
  );
  const world = new FakeWorld({});
  const containers = new Map<string, WorkspaceContainer & { spec: WorkspaceContainerSpec }>();
  let giveUp: () => void = () => undefined;
  const refused = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  const used = { bytes: 0 };
  const counts = { created: 0, built: 0, peak: 0 };
  let generation = 0;

  const fake: WorkspaceContainers = {
    create: async (spec) => {
      const id = `${spec.user}-${spec.session}`;
      if (containers.has(id)) return { id };
      counts.created += 1;
      containers.set(id, {
        id,
        user: spec.user,
        session: spec.session,
        state: "created",
        imageId: spec.imageId,
        spec,
      });
      counts.peak = Math.max(counts.peak, containers.size);
      return { id };
    },
    list: async (user) => [...containers.values()].filter((one) => user === undefined || one.user === user),
    gateway: async () => address,
    run: async () => ({ exitCode: 0, output: "# branch.head main\n# branch.ab +0 -0\n" }),
    stream: async () => ({ exitCode: 127, errors: "" }),
    cpuMs: async () => 0,
    usage: async () => used.bytes,
    findImage: async () => undefined,
    pull: async (name) => {
      await refused;
      throw new ActionNeededError("PULL_FAILED", `the image ${name} cannot be fetched`);
    },
  };
  const lifecycle: Pick<Engine["containers"], "start" | "stop" | "remove"> = {
    start: async (id) => {
      const found = containers.get(id);
      if (found) containers.set(id, { ...found, state: "running", address });
    },
    stop: async (id) => {
      const found = containers.get(id);
      if (found) containers.set(id, { ...found, state: "exited", exitCode: 0 });
    },
    remove: async (id) => void containers.delete(id),
  };

  return {
    data,
    containers,
    counts,
    /** What its files take. */
    used,
    /** The registry answers that there is no such image. */
    refusePull: () => giveUp(),
    /** A new process of the runner. */
    startProcess: async (death?: Death): Promise<Workspaces> => {
      const plain = createFakeEngine(world);
      let calls = 0;
      const mortal = <Part extends object>(part: Part): Part =>
        new Proxy(part, {
          get: (target, name) => {
            const method = Reflect.get(target, name) as (...words: unknown[]) => Promise<unknown>;
            return async (...words: unknown[]) => {
              calls += 1;
              const mine = calls;
              const isDead = () => death !== undefined && mine >= death.at;
              if (death && isDead() && (death.when === "before" || mine > death.at)) return die(death);
              const result = await method.apply(target, words);
              return isDead() && death ? die(death) : result;
            };
          },
        });
      const die = (of: Death) => {
        of.died = true;
        throw new TryLaterError("this process is dead", { retryAfterMs: 1 });
      };
      const engine: Engine = {
        ...plain,
        containers: { ...plain.containers, ...pick(mortal(lifecycle)) },
        workspaces: mortal(fake),
      };
      const nothing = () => undefined;
      const runner = await composeRunner(
        { data, engine, logger, metrics: runnerMetrics(), render: renderWorkspace },
        { nudge: nothing, wakeAt: nothing, requestBuild: nothing, tellController: nothing },
      );
      const workspaces = await startWorkspaces({
        runner,
        controllerUrl: "http://127.0.0.1:1",
        build: async (template) => {
          counts.built += 1;
          const { hash } = await renderWorkspace(template, {
            baseImageId: await plain.images.base(),
            withSession: true,
          });
          const id = `sha256:${hash}`;
          world.images.set(hash, { id, createdAt: "", bytes: 1 });
          return { hash, id };
        },
      });
      closing.push(async () => {
        await workspaces.close();
        await runner.logs.close();
      });
      return workspaces;
    },
    want: async (more: Partial<WorkspaceRequest> = {}): Promise<void> => {
      generation += 1;
      await writeJsonAtomic(join(data.workspaceRequests, "user1.json"), { ...request, generation, ...more });
    },
    observed: async () =>
      (await readJson(join(data.workspaces, "user1", "observed.json"))) as ObservedWorkspace | undefined,
  };
}

const request: WorkspaceRequest = {
  version: 1,
  user: "user1",
  generation: 1,
  session: 1,
  writtenAt: "2026-01-01T00:00:00.000Z",
  state: "running",
  requestedBy: "user1",
  rebuild: false,
  template: { template: "base", packages: { apt: [], pip: [] } },
  resources: { cpus: 1, memoryBytes: 2 ** 30, shmBytes: 2 ** 26, pids: 100 },
  repository: { project: "dtaas/user1", branch: "main" },
  owner: { id: 1, name: "User 1", email: "1-user1@users.noreply.forge.test" },
  gitToken: "g".repeat(43),
  accessToken: "a".repeat(43),
};

const isIn = (world: Awaited<ReturnType<typeof startWorld>>, state: string) =>
  vi.waitFor(async () => {
    const seen = await world.observed();
    if (seen?.state !== state) throw new Error(`it is ${seen?.state}: ${seen?.reason}`);
    return seen;
  }, within);

test("a runner that dies before or after any call to the engine makes one container of each session, and ends it", async () => {
  const dieOften = async (when: Death["when"]) => {
    for (let at = 1; ; at += 1) {
      const world = await startWorld();
      const death: Death = { at, when, died: false };
      await world.want();
      const first = await world.startProcess(death);
      await first.look("user1");
      await vi.waitFor(async () => {
        if (!death.died && (await world.observed())?.state !== "ready")
          throw new Error("neither dead nor ready");
      }, within);
      await first.close();
      const second = await world.startProcess();
      await second.look("user1");
      await isIn(world, "ready");
      expect([world.counts.created, world.containers.size], `${when} call ${at}`).toEqual([1, 1]);
      await world.want({ session: 2 });
      await second.look("user1");
      await vi.waitFor(async () => expect((await world.observed())?.session).toBe(2), within);
      await isIn(world, "ready");
      expect([world.counts.created, world.counts.peak], `${when} call ${at}`).toEqual([2, 1]);
      await world.want({ session: 2, state: "stopped" });
      await second.look("user1");
      await isIn(world, "stopped");
      expect(world.containers.size).toBe(0);
      await second.close();
      if (!death.died) return at;
    }
  };
  const calls = await Promise.all([dieOften("before"), dieOften("after")]);
  expect(Math.min(...calls)).toBeGreaterThan(8); // fewer, and it was not the engine that they died at
}, 60_000);

test("an image that cannot be fetched fails the session, and a new session tries again", async () => {
  const world = await startWorld();
  const { template: _template, ...rest } = request;
  await writeJsonAtomic(join(world.data.workspaceRequests, "user1.json"), { ...rest, image: "lab/desk:1" });
  const workspaces = await world.startProcess();
  await workspaces.look("user1");
  await isIn(world, "pulling");
  world.refusePull();
  const failed = await isIn(world, "failed");
  expect(failed.reason).toBe("the image lab/desk:1 cannot be fetched");
  expect(failed.stages.map(({ name }) => name)).toEqual(["queued", "pulling", "failed"]);
  await world.want({ session: 2, generation: 9 });
  await workspaces.look("user1");
  await isIn(world, "ready");
});

test("what nobody asked for is removed", async () => {
  const world = await startWorld();
  await world.want();
  const workspaces = await world.startProcess();
  await workspaces.look("user1");
  await isIn(world, "ready");
  await rm(join(world.data.workspaceRequests, "user1.json"));
  await vi.waitFor(() => expect(world.containers.size).toBe(0), within);
});

test("whose files pass their limit is ended, told so, and let in again to make room", async () => {
  const world = await startWorld();
  const mebibyte = 1024 ** 2;
  const resources = { ...request.resources, diskBytes: 100 * mebibyte };
  await world.want({ resources });
  const workspaces = await world.startProcess();
  await workspaces.look("user1");
  const ready = await isIn(world, "ready");
  expect(ready.disk).toEqual({ usedBytes: 0, limitBytes: 100 * mebibyte });
  world.used.bytes = 150 * mebibyte;
  const failed = await isIn(world, "failed");
  expect(failed.reason).toContain("its files take 150 MiB, more than 100 MiB");
  expect(world.containers.size).toBe(0);
  await world.want({ resources, session: 2 });
  await workspaces.look("user1");
  expect((await isIn(world, "ready")).reason).toContain("delete some");
  world.used.bytes = 20 * mebibyte;
  await vi.waitFor(async () => {
    const seen = await world.observed();
    expect([seen?.state, seen?.reason, seen?.disk?.usedBytes]).toEqual(["ready", undefined, 20 * mebibyte]);
  }, within);
}, 60_000);

/** A proxy's methods as plain properties, so that they can be spread. */
function pick(part: Pick<Engine["containers"], "start" | "stop" | "remove">) {
  const { start, stop, remove } = part;
  return { start, stop, remove };
}

async function listen(server: Server, address: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(7681, address, () => resolve());
  });
  closing.push(() => new Promise((resolve) => server.close(resolve)));
}
