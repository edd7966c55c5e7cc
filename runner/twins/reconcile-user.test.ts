import { readFileSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { newRunId } from "#core/run-id";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState, DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { ObservedTwin } from "#schemas/observed-state";
import type { LogLine, RunOutcome } from "#schemas/run";
import { composeRunner } from "../compose-runner.ts";
import type { Engine } from "../engine/engine.ts";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { type FakeRules, FakeWorld } from "../engine/fake/fake-world.ts";
import { runnerMetrics } from "../metrics.ts";
import { stopAll } from "../stop-all.ts";
import { reconcileUser } from "./reconcile-user.ts";
import type { Runner } from "./runner.ts";

const key1 = "1".repeat(64);
const key2 = "2".repeat(64);
const commit = "a".repeat(40);
const deadline = { timeout: 5_000, interval: 20 };
const opened: Runner[] = [];
vi.setConfig({ testTimeout: 20_000 });

afterEach(async () => {
  for (const runner of opened.splice(0)) {
    runner.health.close();
    await runner.logs.close();
  }
});

interface Death {
  when: "before" | "after";
  /** The call at which the process dies, such as `containers.start`. */
  fatal: string;
}

/** An engine whose caller dies at one call: from then on nothing it does has an effect. */
function mortalEngine(engine: Engine, death: Death | undefined): Engine {
  if (!death) return engine;
  let dead = false;
  const part = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get: (object, method) => {
        const call: unknown = Reflect.get(object, method);
        if (typeof call !== "function" || method === "events" || method === "logs") return call;
        return async (...given: unknown[]) => {
          const isFatal = `${name}.${String(method)}` === death.fatal;
          dead ||= isFatal && death.when === "before";
          if (dead) throw new Error("this process is dead");
          const result: unknown = await Reflect.apply(call, object, given);
          dead ||= isFatal;
          if (dead) throw new Error("this process is dead");
          return result;
        };
      },
    });
  return {
    ...engine,
    containers: part("containers", engine.containers),
    networks: part("networks", engine.networks),
    layers: part("layers", engine.layers),
  };
}

/** A runner over a fake engine: nudges and alarms are looks, made at once. `restart` is a new process on the same world. */
async function startWorld(rules: FakeRules = {}, death?: Death, runsBeside = true) {
  const data = dataFolder(await mkdtemp(join(tmpdir(), "runner-")));
  const world = new FakeWorld(rules);
  const logger = createLogger("test", "silent");
  let tail: Promise<unknown> = Promise.resolve();
  let mortal = death;
  let runner: Runner;
  const look = (): Promise<void> => {
    const mine = tail.then(() => reconcileUser(runner, "user1"));
    tail = mine.catch(() => undefined);
    return mine;
  };
  const restart = async () => {
    await tail;
    runner = await composeRunner(
      {
        data,
        engine: { ...mortalEngine(createFakeEngine(world), mortal), runsBeside },
        logger,
        metrics: runnerMetrics(),
        render: async (workspace) => ({ hash: `image-${workspace.template}`, dockerfile: "", files: {} }),
      },
      {
        nudge: () => void look(),
        wakeAt: (_user, atMs) => void setTimeout(() => void look(), Math.max(0, atMs - Date.now())).unref(),
        requestBuild: (_user, hash) => {
          world.images.set(hash, { id: `sha256:${hash}`, createdAt: "", bytes: 1 });
          void look();
        },
        tellController: () => undefined,
      },
    );
    mortal = undefined; // the next process lives
    opened.push(runner);
    return runner;
  };
  await restart();
  let generation = 0;
  const want = async (...twins: DesiredTwin[]) => {
    generation += 1;
    const state: DesiredState = {
      version: 1,
      user: "user1",
      generation,
      writtenAt: new Date().toISOString(),
      project: { id: 1, path: "dtaas/user1" },
      revision: commit,
      twins,
      refused: [],
    };
    await writeJsonAtomic(join(data.desired, "user1.json"), state);
    await look();
  };
  const seen = (): ObservedTwin | undefined => runner.published.get("user1")?.twins[0];
  const ask = async (operation: string, more: Partial<RunRequest> = {}): Promise<string> => {
    const runId = newRunId();
    const request = {
      version: 1,
      runId,
      user: "user1",
      twin: "tank",
      operation,
      requestedBy: "user1",
      requestedAt: new Date().toISOString(),
      ...more,
    };
    await writeJsonAtomic(join(data.requests, "user1", `${runId}.json`), request);
    await look();
    return runId;
  };
  const outcome = async (runId: string): Promise<RunOutcome | undefined> =>
    await runner.runs.outcome({ user: "user1", twin: "tank", runId });
  return { world, data, look, restart, want, seen, ask, outcome, runner: () => runner };
}

function twin(sourceKey: string, change: Parameters<typeof desiredTwin>[1] = {}): DesiredTwin {
  // Healthy as soon as it is asked: the fake engine answers 0 to every command.
  const health = { exec: ["true"], intervalMs: 1_000, timeoutMs: 500, retries: 3 };
  const spec = { health, restart: { policy: "on-failure" as const, maxRetries: 3, backoffMs: 200 } };
  return desiredTwin(sourceKey, {
    revision: commit,
    own: { project: "dtaas/user1", commit },
    spec,
    ...change,
  });
}

test("a wanted twin is built, started once and live, and its log is on disk", async () => {
  const { world, want, seen, runner } = await startWorld({
    behaviour: () => ({ lines: [{ text: "hello" }] }),
  });
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  expect([...world.starts.values()]).toEqual([1]);
  const folder = runner().runs.folder({ user: "user1", twin: "tank", runId: seen()?.runId ?? "" });
  await vi.waitFor(async () => {
    const lines = (await readFile(join(folder, "log.ndjson"), "utf8")).trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as LogLine).text)).toEqual(["hello"]);
  }, deadline);
});

test("from a push to live the engine is asked little: each look once, and once more after a start; layers never again", async () => {
  const asked: string[] = [];
  const story = await startWorld({ before: (method) => void asked.push(method) });
  await story.want(); // somebody without twins
  asked.length = 0;
  await story.want(twin(key1));
  await expect.poll(() => story.seen()?.phase, deadline).toBe("live");
  await story.look();
  const looks = asked.filter((method) => method === "containers.list").length;
  // The document, the image that is there (start, and see it), healthy, and the look made just now.
  expect(looks).toBeLessThanOrEqual(5);
  expect(asked.filter((method) => method === "layers.list")).toEqual([]);
  expect(asked.filter((method) => method === "containers.create")).toHaveLength(1);
});

test("while the engine is away a running twin is said to be unseen, and afterwards it is what it was", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const { world, want, seen, look, runner } = await startWorld();
    await want(twin(key1));
    await expect.poll(() => seen()?.phase, deadline).toBe("live");
    const before = seen();
    world.down = true;
    await expect(look()).rejects.toThrow("the engine cannot be reached");
    expect(seen()).toEqual(before); // one answer that did not come is not worth telling
    vi.setSystemTime(Date.now() + 3_000);
    await expect(look()).rejects.toThrow("the engine cannot be reached");
    expect(seen()).toMatchObject({
      phase: "unknown",
      runId: before?.runId,
      reason: "the container engine does not answer; it was live",
    });
    expect(runner().published.isReady("user1/tank")).toBe(false);
    vi.setSystemTime(Date.now() + 3_000);
    await expect(look()).rejects.toThrow("the engine cannot be reached");
    expect(seen()?.reason).toBe("the container engine does not answer; it was live");
    world.down = false;
    await look();
    expect(seen()).toMatchObject({ phase: "live", runId: before?.runId });
    expect(seen()?.reason).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

test("a killed container is back within seconds, as a new run, and the old run says it was killed", async () => {
  const { world, want, seen, look, outcome } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  const before = seen();
  world.killContainer(before?.containerId ?? "");
  await look();
  await expect
    .poll(() => [...world.containers.values()].some((one) => one.state === "running"), deadline)
    .toBe(true);
  expect(seen()?.runId).not.toBe(before?.runId);
  expect(await outcome(before?.runId ?? "")).toMatchObject({ outcome: "failed", exitCode: 137 });
});

test("a runner that dies before or after any call to the engine goes on without starting anything twice", async () => {
  const calls = [
    "networks.ensure",
    "layers.ensure",
    "containers.create",
    "containers.start",
    "containers.list",
  ];
  for (const when of ["before", "after"] as const) {
    for (const fatal of calls) {
      const story = await startWorld({}, { when, fatal });
      await story.want(twin(key1)).catch(() => undefined);
      await story.restart();
      await story.look();
      await expect.poll(() => story.seen()?.phase, deadline).toBe("live");
      expect([...story.world.starts.values()], `${when} ${fatal}`).toEqual([1]);
    }
  }
});

test("a runner that was away finds what happened meanwhile and takes it up", async () => {
  const { world, want, seen, restart, look } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  const first = seen()?.runId;
  await restart();
  world.powerCut();
  await look();
  await expect.poll(() => seen()?.phase === "live" && seen()?.runId !== first, deadline).toBe(true);
  expect([...world.starts.values()]).toEqual([1, 1]);
});

test("a runner restart alone changes nothing", async () => {
  const { world, want, seen, restart, look } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  await restart();
  await look();
  expect(seen()?.phase).toBe("live");
  expect([...world.starts.values()]).toEqual([1]);
});

test("a new revision replaces the old one, and the old one's run is closed as stopped", async () => {
  const { world, want, seen, outcome } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  const old = seen()?.runId ?? "";
  await want(twin(key2));
  await expect.poll(() => seen()?.phase === "live" && seen()?.sourceKey === key2, deadline).toBe(true);
  expect(await outcome(old)).toMatchObject({ outcome: "stopped", reason: "replaced" });
  expect(world.containers.size).toBe(1);
  await expect.poll(() => world.layers.size, deadline).toBe(2); // the last good one's is kept until nobody needs it
});

test("an operation asked for runs to its end with its outputs, and asking twice runs it once", async () => {
  const { world, want, ask, outcome, look } = await startWorld({
    behaviour: (spec) =>
      spec.labels.operation === "save"
        ? { exitAfterMs: 20, writes: { "/workspace/data/out/result.csv": "t,x\n0,1\n" } }
        : {},
  });
  const operations = { execute: {}, save: { outputs: ["data/out"] } };
  await want(twin(key1, { state: "stopped", operations }));
  const runId = await ask("save");
  await look();
  await vi.waitFor(async () => {
    await look();
    expect(await outcome(runId)).toMatchObject({
      outcome: "succeeded",
      exitCode: 0,
      outputs: [{ path: "data/out/result.csv", bytes: 8 }],
    });
  }, deadline);
  expect(world.starts.get(runId)).toBe(1);
});

test("an operation sees its parameters in a file and in the environment, and a rerun sees the same again", async () => {
  const seen: { environment: Record<string, string>; file: unknown }[] = [];
  const { want, ask, outcome, look, runner } = await startWorld({
    behaviour: ({ environment, runFolder }) => {
      const file: unknown = JSON.parse(readFileSync(join(runFolder ?? "", "parameters.json"), "utf8"));
      seen.push({ environment, file });
      return { exitAfterMs: 20 };
    },
  });
  const ended = async (runId: string) =>
    await vi.waitFor(async () => {
      await look();
      expect(await outcome(runId)).toMatchObject({ outcome: "succeeded" });
    }, deadline);
  const stopped = twin(key1, { state: "stopped", operations: { execute: {}, analyse: {} } });
  const wanted = (upper: number) => ({
    ...stopped,
    spec: { ...stopped.spec, parameters: { name: "lab", controller: { upper, lower: 34 } } },
  });
  await want(wanted(36));
  const first = await ask("analyse", { parameters: { controller: { upper: 40 } } });
  await ended(first);
  const parameters = { name: "lab", controller: { upper: 40, lower: 34 } };
  expect(await runner().runs.manifest({ user: "user1", twin: "tank", runId: first })).toMatchObject({
    parameters,
  });
  await want(wanted(30));
  await ended(await ask("analyse", { rerunOf: first }));
  await ended(await ask("analyse"));
  const variables = (upper: string) => ({
    DT_PARAMETERS: "/run/dtaas/parameters.json",
    DT_PARAM_name: "lab",
    DT_PARAM_controller__upper: upper,
  });
  expect(seen).toMatchObject([
    { environment: variables("40"), file: parameters },
    { environment: variables("40"), file: parameters },
    { environment: variables("30"), file: { controller: { upper: 30 } } },
  ]);
});

test("a run that is no longer kept cannot be done again, and the request says so", async () => {
  const { want, ask, outcome, world } = await startWorld();
  await want(twin(key1, { state: "stopped", operations: { execute: {}, analyse: {} } }));
  const runId = await ask("analyse", { rerunOf: newRunId() });
  await expect
    .poll(() => outcome(runId), deadline)
    .toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("no longer kept"),
    });
  expect(world.containers.size).toBe(0);
});

test("the snapshot of a run is needed until it has ended, whatever is wanted by then", async () => {
  const { want, ask, outcome, look, runner } = await startWorld({
    behaviour: ({ labels }) => (labels.operation === "analyse" ? { exitAfterMs: 300 } : {}),
  });
  const own = { project: "dtaas/user1", commit: "b".repeat(40) };
  const operations = { execute: {}, analyse: {} };
  const needs = () => runner().published.get("user1")?.needs ?? [];
  await want(twin(key1, { state: "stopped", operations, own }));
  const runId = await ask("analyse");
  await want(twin(key2, { state: "stopped", operations }));
  expect(await outcome(runId)).toBeUndefined();
  expect(needs()).toContainEqual(own);
  await vi.waitFor(async () => {
    await look();
    expect(await outcome(runId)).toMatchObject({ outcome: "succeeded" });
  }, deadline);
  await look();
  expect(needs()).not.toContainEqual(own);
});

test("a folder that is deleted is stopped, its layers and memory are gone, its history stays", async () => {
  const { world, want, seen, outcome } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  const runId = seen()?.runId ?? "";
  await want();
  await expect.poll(() => world.containers.size + world.layers.size + world.networks.size, deadline).toBe(0);
  expect(seen()).toBeUndefined();
  expect(await outcome(runId)).toMatchObject({ outcome: "stopped", reason: "removed" });
});

test("one twin that the engine refuses does not hold up another", async () => {
  const { want, runner } = await startWorld({
    before: (method, argument) => {
      if (method === "layers.ensure" && String(argument).includes(key2)) throw new Error("no such folder");
    },
  });
  const other = { ...twin(key1), name: "other" };
  await want({ ...twin(key2), name: "bad" }, other);
  const phases = () =>
    Object.fromEntries((runner().published.get("user1")?.twins ?? []).map((one) => [one.name, one.phase]));
  await expect.poll(() => phases()["other"], deadline).toBe("live");
  expect(
    runner()
      .published.get("user1")
      ?.twins.find((one) => one.name === "bad")?.reason,
  ).toContain("no such folder");
});

test("stopping the platform closes every run, and the next start begins at once without counting a failure", async () => {
  const { world, want, seen, restart, look, outcome, runner } = await startWorld();
  await want(twin(key1));
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  const runId = seen()?.runId ?? "";
  await stopAll(runner());
  expect(world.containers.size).toBe(0);
  expect(await outcome(runId)).toMatchObject({ outcome: "stopped", reason: "the platform was stopped" });
  await restart();
  await look();
  await expect.poll(() => seen()?.phase, deadline).toBe("live");
  expect(seen()?.restarts).toBe(0);
});

test.each([true, false])(
  "a new revision starts beside the old one where the engine can do that (%s), else after it",
  async (runsBeside) => {
    let most = 0;
    const behaviour = () => {
      const up = [...world.containers.values()].filter(({ state }) => state === "running").length;
      most = Math.max(most, up);
      return {};
    };
    const { world, want, seen } = await startWorld({ behaviour }, undefined, runsBeside);
    const rollout = { strategy: "parallel" as const, timeoutMs: 60_000 };
    const parallel = (sourceKey: string) => {
      const made = twin(sourceKey);
      return { ...made, spec: { ...made.spec, rollout } };
    };
    await want(parallel(key1));
    await expect.poll(() => seen()?.phase, deadline).toBe("live");
    await want(parallel(key2));
    await expect.poll(() => seen()?.phase === "live" && seen()?.sourceKey, deadline).toBe(key2);
    expect(most).toBe(runsBeside ? 2 : 1);
  },
);
