import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { dataFolder, previewedFolder, snapshotPath } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState } from "#schemas/desired-state";
import { checkObservedPreviews } from "#schemas/documents/check-documents";
import type { ObservedPreview, ObservedPreviews, WantedPreview, WantedPreviews } from "#schemas/previews";
import { composeRunner } from "../compose-runner.ts";
import type { Engine } from "../engine/engine.ts";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { type FakeRules, FakeWorld } from "../engine/fake/fake-world.ts";
import { runnerMetrics } from "../metrics.ts";
import { stopAll } from "../stop-all.ts";
import { reconcileUser } from "../twins/reconcile-user.ts";
import type { Runner } from "../twins/runner.ts";
import { type RunnerPreviews, startPreviews } from "./previews.ts";

const commit = "a".repeat(40);
const newer = "b".repeat(40);
const deadline = { timeout: 10_000, interval: 20 };
const closing: (() => Promise<void>)[] = [];
vi.setConfig({ testTimeout: 30_000 });

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const operation = { run: "lifecycle/x", workingDir: "digital_twins/tank", graceMs: 100, outputs: [] };

function tank(more: Partial<WantedPreview> = {}): WantedPreview {
  return {
    ...{ name: "tank", commit, attempt: 1, wantedAt: new Date().toISOString() },
    ...{ ttlMs: 3_600_000, durationMs: 300_000, compare: [], sourceKey: "key", shared: [] },
    operations: [
      { ...operation, name: "create", timeoutMs: 60_000 },
      { ...operation, name: "execute", outputs: ["data/out"] },
    ],
    own: { project: "dtaas/user1", commit: more.commit ?? commit },
    workspace: { template: "base", packages: { apt: [], pip: [] } },
    parameters: { upper: 36 },
    environment: { LOG_LEVEL: "info" },
    resources: { cpus: 1, memoryBytes: 1024, pids: 10 },
    ...more,
  };
}

/** Ends well, and leaves a file when it is an execution. */
const well: NonNullable<FakeRules["behaviour"]> = ({ labels }) => ({
  exitAfterMs: 1,
  lines: [{ text: `${labels.operation} done` }],
  ...(labels.operation === "execute" ? { writes: { "/workspace/data/out/x.csv": "a\n1\n" } } : {}),
});

async function startWorld(
  rules: FakeRules = { behaviour: well },
  change: (engine: Engine) => Engine = (e) => e,
) {
  const data = dataFolder(await mkdtemp(join(tmpdir(), "previews-")));
  closing.push(() => rm(data.root, { recursive: true, force: true }));
  const world = new FakeWorld(rules);
  const logger = createLogger("test", "silent");
  let runner: Runner;
  let previews: RunnerPreviews;
  let told = 0;
  const stop = async () => {
    await previews.close();
    runner.health.close();
    await runner.logs.close();
  };
  const start = async (engine: Engine = createFakeEngine(world)) => {
    runner = await composeRunner(
      {
        data,
        engine: change(engine),
        logger,
        metrics: runnerMetrics(),
        render: async ({ template }) => ({ hash: `image-${template}`, dockerfile: "", files: {} }),
      },
      {
        nudge: (user) => void reconcileUser(runner, user).catch(() => undefined),
        wakeAt: () => undefined,
        requestBuild: (user, hash) => {
          world.images.set(hash, { id: `sha256:${hash}`, createdAt: "", bytes: 1 });
          void previews.look(user);
        },
        tellController: () => {
          told += 1;
        },
      },
    );
    previews = startPreviews(runner, () => undefined);
    const ending = new AbortController();
    void (async () => {
      for await (const { container } of engine.containers.events(ending.signal)) {
        if (container?.labels.preview !== undefined) void previews.look(container.labels.user);
      }
    })();
    closing.unshift(async () => {
      ending.abort();
      await stop();
    });
  };
  await mkdir(snapshotPath(data, "dtaas/user1", commit), { recursive: true });
  await mkdir(snapshotPath(data, "dtaas/user1", newer), { recursive: true });
  await start();
  const want = async (twins: WantedPreview[], id = "12"): Promise<void> => {
    const mergeRequest = { projectId: 7, projectPath: "dtaas/user1", iid: 12 };
    const wantedAt = new Date().toISOString();
    const document: WantedPreviews = {
      ...{ version: 1, user: "user1", id, mergeRequest, wantedAt, twins, refused: [] },
    };
    await writeJsonAtomic(join(data.previews, "user1", `${id}.json`), document);
    await previews.look("user1");
  };
  const unwant = async (id = "12"): Promise<void> => {
    await rm(join(data.previews, "user1", `${id}.json`), { force: true });
    await previews.look("user1");
  };
  const state = async (id = "12"): Promise<ObservedPreviews | undefined> => {
    const path = join(previewedFolder(data, { user: "user1", id }), "state.json");
    const text = await readFile(path, "utf8").catch(() => undefined);
    return text === undefined ? undefined : checkObservedPreviews(JSON.parse(text));
  };
  const seen = async (twin = "tank", id = "12"): Promise<ObservedPreview | undefined> =>
    (await state(id))?.twins.find(({ name }) => name === twin);
  const phase = async (twin = "tank", id = "12") => (await seen(twin, id))?.phase;
  const desire = async (more: Partial<DesiredState> = {}): Promise<void> => {
    const desired: DesiredState = {
      ...{ version: 1, user: "user1", generation: 1, writtenAt: new Date().toISOString() },
      ...{ project: { id: 7, path: "dtaas/user1" }, revision: commit, twins: [], refused: [] },
      ...more,
    };
    await writeJsonAtomic(join(data.desired, "user1.json"), desired);
  };
  const left = () => ({
    containers: [...world.containers.values()].filter(({ spec }) => spec.labels.preview !== undefined).length,
    networks: world.previewNetworks.size,
    layers: [...world.layers.keys()].filter((id) => id.includes(".preview-")).length,
  });
  return {
    ...{ data, world, want, unwant, seen, state, phase, desire, left, stop, start },
    runner: () => runner,
    previews: () => previews,
    told: () => told,
  };
}

const nothingLeft = { containers: 0, networks: 0, layers: 0 };

test("the operations of a merge result run once, in order, apart from everything else, and what they leave is kept", async () => {
  const specs: Parameters<NonNullable<FakeRules["behaviour"]>>[0][] = [];
  const story = await startWorld({
    behaviour: (spec) => {
      specs.push(structuredClone(spec));
      return well(spec);
    },
  });
  await story.want([tank()]);
  await expect.poll(() => story.phase(), deadline).toBe("done");
  expect(specs.map(({ labels }) => [labels.operation, labels.preview])).toEqual([
    ["create", "12"],
    ["execute", "12"],
  ]);
  for (const spec of specs) {
    expect(spec.network).toBe("fake-preview-12.tank.user1");
    expect(spec.layer.id).toMatch(/^user1\.tank\.preview-12-/);
    expect(spec.environment).toMatchObject({ LOG_LEVEL: "info", DT_PARAM_upper: "36", DT_PREVIEW: "12" });
    expect(spec.environment).not.toHaveProperty("DT_SECRETS");
    expect(spec.environmentFiles ?? []).toEqual([]);
    // The view and its assets, all of the snapshot; no folder of secrets, no layer of a live twin.
    expect(
      (spec.mounts ?? []).every(({ target }) =>
        /^\/(workspace\/common|views\/current|assets\/)/.test(target),
      ),
    ).toBe(true);
  }
  const record = await story.seen();
  expect(record?.runs).toMatchObject([
    { operation: "create", outcome: "succeeded", counts: true, exitCode: 0 },
    { operation: "execute", outcome: "succeeded", counts: true, exitCode: 0 },
  ]);
  const kept = join(
    previewedFolder(story.data, { user: "user1", id: "12" }),
    "tank",
    record?.runs[1]?.run ?? "",
  );
  expect(await readFile(join(kept, "outputs/data/out/x.csv"), "utf8")).toBe("a\n1\n");
  expect(await readFile(join(kept, "log.ndjson"), "utf8")).toContain("execute done");
  expect(story.left()).toEqual(nothingLeft);
  expect(await readdir(story.data.runs)).toEqual([]); // nothing of it is in the history of the live twin
  expect((await story.state())?.needs).toEqual([]);
});

test("said again, the same wish changes nothing", async () => {
  const story = await startWorld();
  const wish = tank();
  await story.want([wish]);
  await expect.poll(() => story.phase(), deadline).toBe("done");
  const before = await story.state();
  await story.want([wish]);
  await story.previews().look("user1");
  expect(await story.state()).toEqual(before);
  expect(story.world.starts.size).toBe(2);
});

test("the live twin is kept up beside it, and neither touches the other", async () => {
  const story = await startWorld({
    behaviour: ({ labels }) =>
      labels.preview !== undefined && labels.operation === "create" ? { exitAfterMs: 1 } : {},
  });
  story.world.images.set("image-base", { id: "sha256:image-base", createdAt: "", bytes: 1 });
  const live = desiredTwin("1".repeat(64), { revision: commit, own: { project: "dtaas/user1", commit } });
  await story.desire({ twins: [{ ...live, state: "running" }] });
  await reconcileUser(story.runner(), "user1");
  const [mine] = await story.runner().engine.containers.list("user1");
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[1]?.startedAt, deadline).toBeDefined();
  await reconcileUser(story.runner(), "user1");
  await reconcileUser(story.runner(), "user1");
  expect(await story.runner().engine.containers.list("user1")).toMatchObject([
    { id: mine?.id, state: "running" },
  ]);
  expect(story.left()).toEqual({ containers: 1, networks: 1, layers: 1 });
  await story.unwant();
  expect(story.left()).toEqual(nothingLeft);
  expect(await story.runner().engine.containers.list("user1")).toMatchObject([
    { id: mine?.id, state: "running" },
  ]);
});

test("removed, it leaves no container, network, layer or file, whatever it was doing", async () => {
  const story = await startWorld({ behaviour: () => ({ ignoresStop: true }) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  expect(story.left()).toEqual({ containers: 1, networks: 1, layers: 1 });
  expect((await story.state())?.needs).toEqual([{ project: "dtaas/user1", commit }]);
  await story.unwant();
  expect(story.left()).toEqual(nothingLeft);
  expect(await readdir(join(story.data.previewed, "user1"))).toEqual([]);
});

test("a newer commit takes the place of the one that runs", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  const [first] = story.world.containers.keys();
  await story.want([tank({ commit: newer })]);
  await expect
    .poll(
      async () => [(await story.seen())?.commit, (await story.seen())?.runs[0]?.startedAt !== undefined],
      deadline,
    )
    .toEqual([newer, true]);
  expect(story.world.containers.has(first ?? "")).toBe(false);
  expect(story.left()).toEqual({ containers: 1, networks: 1, layers: 1 });
  expect((await story.state())?.needs).toEqual([{ project: "dtaas/user1", commit: newer }]);
});

test("an execute that runs for ever is stopped at the end of its time: that counts, and its outputs are kept", async () => {
  const story = await startWorld({
    behaviour: ({ labels }) =>
      labels.operation === "create"
        ? { exitAfterMs: 1 }
        : { writes: { "/workspace/data/out/x.csv": "a\n7\n" } },
  });
  await story.want([tank({ durationMs: 150 })]);
  await expect.poll(() => story.phase(), deadline).toBe("done");
  const run = (await story.seen())?.runs[1];
  expect(run).toMatchObject({
    outcome: "stopped",
    counts: true,
    reason: expect.stringContaining("preview.duration"),
  });
  const kept = join(previewedFolder(story.data, { user: "user1", id: "12" }), "tank", run?.run ?? "");
  expect(await readFile(join(kept, "outputs/data/out/x.csv"), "utf8")).toBe("a\n7\n");
});

test("an operation that fails ends it, with the reason, and the next one never begins", async () => {
  const story = await startWorld({ behaviour: () => ({ exitAfterMs: 1, exitCode: 3 }) });
  await story.want([tank()]);
  await expect.poll(() => story.phase(), deadline).toBe("failed");
  expect(await story.seen()).toMatchObject({
    reason: "create ended with exit code 3",
    runs: [{ operation: "create", exitCode: 3, counts: false }],
  });
  expect(story.left()).toEqual(nothingLeft);
});

test("two run at once, the third when there is room", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.desire();
  await story.want([tank({ name: "a" }), tank({ name: "b" }), tank({ name: "c" })]);
  await expect
    .poll(() => Promise.all(["a", "b", "c"].map((name) => story.phase(name))), deadline)
    .toEqual(["running", "running", "waiting"]);
  expect((await story.seen("c"))?.reason).toMatch(/waits for its turn/);
  await story.want([tank({ name: "b" }), tank({ name: "c" })]);
  await expect.poll(() => story.phase("c"), deadline).toBe("running");
});

test.each([
  "previews.ensureNetwork",
  "layers.ensure",
  "containers.create",
  "containers.start",
  "containers.read",
  "containers.remove",
  "layers.remove",
  "previews.removeNetwork",
])(
  "a runner that dies at %s, before or after, runs each operation once and leaves nothing behind",
  async (fatal) => {
    for (const when of ["before", "after"] as const) {
      const story = await startWorld({ behaviour: well }, (engine) => engine);
      await story.stop();
      await story.start(mortal(createFakeEngine(story.world), fatal, when));
      await story.want([tank()]);
      await vi.waitFor(async () => {
        if (!dead.has(`${fatal} ${when}`)) throw new Error("not yet");
      }, deadline);
      await story.stop();
      await story.start();
      await expect.poll(() => story.phase(), deadline).toBe("done");
      const runs = (await story.seen())?.runs ?? [];
      expect(runs.map(({ outcome }) => outcome)).toEqual(["succeeded", "succeeded"]);
      expect([...story.world.starts.entries()]).toEqual(runs.map(({ run }) => [run, 1]));
      expect(story.left()).toEqual(nothingLeft);
      dead.clear();
    }
  },
);

const dead = new Set<string>();

/** An engine whose caller dies at one call: from then on nothing it does has an effect. */
function mortal(engine: Engine, fatal: string, when: "before" | "after"): Engine {
  const key = `${fatal} ${when}`;
  const part = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get: (object, method) => {
        const call: unknown = Reflect.get(object, method);
        if (typeof call !== "function" || method === "events" || method === "logs") return call;
        return async (...given: unknown[]) => {
          const isFatal = `${name}.${String(method)}` === fatal;
          if (isFatal && when === "before") dead.add(key);
          if (dead.has(key)) throw new Error("this process is dead");
          const result: unknown = await Reflect.apply(call, object, given);
          if (isFatal) dead.add(key);
          if (dead.has(key)) throw new Error("this process is dead");
          return result;
        };
      },
    });
  return {
    ...engine,
    containers: part("containers", engine.containers),
    layers: part("layers", engine.layers),
    ...(engine.previews ? { previews: part("previews", engine.previews) } : {}),
  };
}

test("what a crash has left of a preview that nobody knows goes at the next start", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  await story.stop();
  await rm(join(story.data.previews, "user1"), { recursive: true });
  await rm(join(story.data.previewed, "user1"), { recursive: true });
  await story.start();
  await expect.poll(() => story.left(), deadline).toEqual(nothingLeft);
});

test("a record that cannot be read: the preview begins anew, and nothing is left of before", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  const [first] = story.world.containers.keys();
  await writeFile(join(previewedFolder(story.data, { user: "user1", id: "12" }), "state.json"), "{");
  await story.previews().look("user1");
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  expect(story.world.containers.has(first ?? "")).toBe(false);
  expect(story.left()).toEqual({ containers: 1, networks: 1, layers: 1 });
  await story.unwant();
  expect(await readdir(join(story.data.previewed, "user1"))).toEqual([]);
});

test("a wish that cannot be read leaves its preview as it is, and others go on", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  await writeFile(join(story.data.previews, "user1", "12.json"), "[]");
  await story.want([tank()], "13");
  await expect.poll(() => story.phase("tank", "13"), deadline).toBe("running");
  expect(await story.phase()).toBe("running");
  expect(story.left().containers).toBe(2);
});

test("while the engine is away nothing is lost, and it goes on afterwards", async () => {
  const story = await startWorld();
  story.world.down = true;
  await story.want([tank()]);
  expect(await story.state()).toBeUndefined();
  story.world.down = false;
  await expect.poll(() => story.phase(), deadline).toBe("done");
});

test("without an engine that keeps it apart it is refused, with the reason, and forgotten when it is no longer wanted", async () => {
  const story = await startWorld({ behaviour: well }, ({ previews: _none, ...engine }) => engine);
  await story.want([tank()]);
  expect(await story.seen()).toMatchObject({
    phase: "failed",
    reason: expect.stringContaining("previews need a container engine"),
    runs: [],
  });
  expect(story.world.containers.size).toBe(0);
  await story.unwant();
  expect(await readdir(join(story.data.previewed, "user1"))).toEqual([]);
});

test("stopping the whole platform ends previews, too, and says so", async () => {
  const story = await startWorld({ behaviour: () => ({}) });
  await story.want([tank()]);
  await expect.poll(async () => (await story.seen())?.runs[0]?.startedAt, deadline).toBeDefined();
  await story.previews().close();
  expect(await stopAll(story.runner())).toEqual({ stopped: 1 });
  expect(await story.seen()).toMatchObject({
    runs: [{ outcome: "stopped", reason: "the platform was stopped" }],
  });
  expect(story.left()).toMatchObject({ containers: 0, networks: 0 });
});

test("after its time what it kept goes, and what is said of it stays", async () => {
  const story = await startWorld();
  await story.want([tank()]);
  await expect.poll(() => story.phase(), deadline).toBe("done");
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    vi.setSystemTime(Date.now() + 3_700_000);
    await story.previews().look("user1");
    expect(await story.seen()).toMatchObject({ phase: "expired", runs: [{ exitCode: 0 }, { exitCode: 0 }] });
    expect(await readdir(previewedFolder(story.data, { user: "user1", id: "12" }))).toEqual(["state.json"]);
  } finally {
    vi.useRealTimers();
  }
});
