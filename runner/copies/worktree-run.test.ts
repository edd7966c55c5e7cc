import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tar from "tar-stream";
import { afterEach, expect, test, vi } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { newRunId } from "#core/run-id";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import { composeRunner } from "../compose-runner.ts";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { type FakeRules, FakeWorld } from "../engine/fake/fake-world.ts";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";
import { runnerMetrics } from "../metrics.ts";
import { reconcileUser } from "../twins/reconcile-user.ts";
import type { Runner } from "../twins/runner.ts";

const base = "b".repeat(40);
const within = { timeout: 10_000, interval: 20 };
const opened: Runner[] = [];
afterEach(async () => {
  for (const runner of opened.splice(0)) {
    runner.health.close();
    await runner.logs.close();
  }
});

/** A runner over an engine that pretends, with a workspace that has a twin `tank` whose script says what it is. */
async function startWorld(rules: FakeRules = {}) {
  const data = dataFolder(await mkdtemp(join(tmpdir(), "worktree-run-")));
  const world = new FakeWorld(rules);
  world.images.set("image-base", { id: "sha256:image-base", createdAt: "", bytes: 1 });
  let copies = 0;
  const workspaces = {
    list: async () => [{ id: "w1", user: "user1", session: 1, state: "running", imageId: "i" }],
    stream: async (_id, _command, _limits, take) => {
      copies += 1;
      await take(copyOfTank());
      return { exitCode: 0, errors: "" };
    },
  } satisfies Pick<WorkspaceContainers, "stream"> & { list: unknown } as unknown as WorkspaceContainers;
  let tail: Promise<unknown> = Promise.resolve();
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
        engine: { ...createFakeEngine(world), workspaces },
        logger: createLogger("test", "silent"),
        metrics: runnerMetrics(),
        render: async ({ template }) => ({ hash: `image-${template}`, dockerfile: "", files: {} }),
      },
      {
        nudge: () => void look().catch(() => undefined),
        wakeAt: (_user, atMs) =>
          void setTimeout(() => void look().catch(() => undefined), Math.max(0, atMs - Date.now())).unref(),
        requestBuild: () => undefined,
        tellController: () => undefined,
      },
    );
    opened.push(runner);
    return runner;
  };
  await restart();
  let generation = 0;
  const want = async (...twins: DesiredTwin[]) => {
    generation += 1;
    const state: DesiredState = {
      ...{ version: 1, user: "user1", generation, writtenAt: new Date().toISOString() },
      ...{ project: { id: 1, path: "dtaas/user1" }, revision: base, twins, refused: [] },
    };
    await writeJsonAtomic(join(data.desired, "user1.json"), state);
    await look();
  };
  const ask = async (operation: string): Promise<string> => {
    const runId = newRunId();
    await writeJsonAtomic(join(data.requests, "user1", `${runId}.json`), {
      ...{ version: 1, runId, user: "user1", twin: "tank", operation, requestedBy: "user1" },
      ...{ requestedAt: new Date().toISOString(), worktree: true },
    });
    await look().catch(() => undefined);
    return runId;
  };
  const named = (runId: string) => ({ user: "user1", twin: "tank", runId });
  return { data, world, want, ask, restart, look, named, runner: () => runner, copies: () => copies };
}

async function* copyOfTank(): AsyncGenerator<Uint8Array> {
  const pack = tar.pack();
  for (const name of ["analyse", "execute"]) {
    pack.entry(
      { name: `digital_twins/tank/lifecycle/${name}`, mode: 0o755 },
      "#!/bin/sh\necho uncommitted\n",
    );
  }
  pack.finalize();
  yield Buffer.from(`dtaas-copy 1 ${base}\n`);
  for await (const piece of pack) yield piece as Buffer;
}

test("a copy is the lower side of its run's own layer, the manifest says so, and nothing is left of it", async () => {
  const { data, world, want, ask, named, runner } = await startWorld({
    behaviour: ({ labels }) => (labels.operation === "analyse" ? { exitAfterMs: 50, exitCode: 0 } : {}),
  });
  await want(desiredTwin("1".repeat(64), { revision: base, own: { project: "dtaas/user1", commit: base } }));
  const runId = await ask("analyse");
  await vi.waitFor(() => expect(world.ofRun(runId)).toBeDefined(), within);
  const layers = [...world.layers.values()].map(({ lowerFolder }) => lowerFolder);
  expect(layers).toContain(runner().copies.folder("user1", runId));
  expect(world.ofRun(runId)?.spec.environment).toMatchObject({ DT_WORKTREE: "true", DT_REVISION: base });
  await vi.waitFor(async () => expect(await runner().runs.outcome(named(runId))).toBeDefined(), within);
  expect(await runner().runs.outcome(named(runId))).toMatchObject({ outcome: "succeeded" });
  expect(await runner().runs.manifest(named(runId))).toMatchObject({
    worktree: true,
    revision: base,
    copy: { base, files: 2, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  await vi.waitFor(async () => {
    expect(world.layers.size).toBe(1);
    expect(await readdir(join(data.copies, "user1"))).toEqual([]);
  }, within);
});

test("a runner that dies while a copy runs goes on with that copy and makes no second one", async () => {
  const { world, want, ask, restart, look, named, runner, copies } = await startWorld();
  await want(desiredTwin("1".repeat(64), { state: "stopped", revision: base }));
  const runId = await ask("execute");
  await vi.waitFor(() => expect(world.ofRun(runId)?.inspect().state).toBe("running"), within);
  await restart();
  await look();
  expect(copies()).toBe(1);
  const id = world.ofRun(runId)?.id ?? "";
  world.killContainer(id, 0);
  await look();
  await vi.waitFor(async () => expect(await runner().runs.outcome(named(runId))).toBeDefined(), within);
  await vi.waitFor(() => expect(world.layers.size).toBe(0), within);
});

test("a twin that is in the workspace only runs and leaves no trace", async () => {
  const { world, want, ask, look, named, runner } = await startWorld({
    behaviour: () => ({ exitAfterMs: 50, exitCode: 0 }),
  });
  await want();
  const runId = await ask("analyse");
  await vi.waitFor(async () => {
    await look(); // as an event of the engine has it
    expect(await runner().runs.outcome(named(runId))).toMatchObject({ outcome: "succeeded" });
  }, within);
  await vi.waitFor(async () => {
    await look();
    expect(runner().published.get("user1")?.twins).toEqual([]);
    expect(world.layers.size).toBe(0);
  }, within);
});

test("an operation that the copy does not have ends the run before it begins", async () => {
  const { want, ask, named, runner, data } = await startWorld();
  await want(desiredTwin("1".repeat(64), { state: "stopped", revision: base }));
  const runId = await ask("evolve");
  await vi.waitFor(async () => expect(await runner().runs.outcome(named(runId))).toBeDefined(), within);
  expect((await runner().runs.outcome(named(runId)))?.reason).toContain('no operation "evolve"');
  await vi.waitFor(async () => expect(await readdir(join(data.copies, "user1"))).toEqual([]), within);
});
