import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ContainerSpec } from "../engine.ts";
import { engineContract, testFolder } from "../engine-contract.ts";
import { createFakeEngine } from "./fake-engine.ts";
import { type FakeBehaviour, FakeWorld } from "./fake-world.ts";

function behaviour({ command, mounts = [] }: ContainerSpec): FakeBehaviour {
  const [what, first = "", second = ""] = command;
  if (what === "prints") {
    const path = join("/workspace", first);
    const mount = mounts.find(({ target }) => path.startsWith(`${target}/`));
    if (!mount) return { exitAfterMs: 10, exitCode: 1 };
    const text = readFileSync(join(mount.source, path.slice(mount.target.length)), "utf8");
    return { exitAfterMs: 10, lines: [{ text }] };
  }
  if (what === "exits") return { exitAfterMs: 10, exitCode: Number(first) };
  if (what === "writes") return { exitAfterMs: 10, writes: { [`/workspace/${first}`]: second } };
  if (what === "deaf") return { ignoresStop: true, lines: [{ text: "deaf" }] };
  if (what === "one") return { lines: [{ text: "one" }] };
  if (what !== "three") return {};
  return {
    exitAfterMs: 30,
    lines: [{ text: "one" }, { text: "two", stream: "err" }, { text: "three", afterMs: 10 }],
  };
}

engineContract("fake", async () => {
  const world = new FakeWorld({
    behaviour: (spec) => behaviour(spec),
    exec: (_container, [what]) => (what === "hang" ? new Promise<number>(() => {}) : what === "true" ? 0 : 1),
    build: (recipe) =>
      recipe.dockerfile === "bad" ? { failure: "no such package" } : { lines: ["building"] },
  });
  const folder = await testFolder();
  return {
    open: () => createFakeEngine(world),
    imageId: async () => "sha256:fake-base",
    folder: folder.path,
    commands: {
      forever: ["forever"],
      ignoresStop: ["deaf"],
      exits: (code) => ["exits", String(code)],
      printsThree: ["three"],
      printsOneForever: ["one"],
      writes: (path, content) => ["writes", path, content],
      prints: (path) => ["prints", path],
      succeeds: ["true"],
      fails: ["false"],
      takesForever: ["hang"],
    },
    stranger: {
      kill: async (id) => world.killContainer(id),
      remove: async (id) => world.removeContainer(id),
      change: async (id) => world.changeContainer(id),
    },
    recipes: {
      good: async (hash) => ({ hash, dockerfile: "good", files: {} }),
      bad: async (hash) => ({ hash, dockerfile: "bad", files: {} }),
    },
    tearDown: () => folder.remove(),
  };
});

test("an engine that is down asks to try later, and the world goes on meanwhile", async () => {
  const world = new FakeWorld();
  const engine = createFakeEngine(world);
  world.down = true;
  await expect(engine.containers.list()).rejects.toMatchObject({ name: "TryLaterError" });
  world.down = false;
  expect(await engine.containers.list()).toEqual([]);
});

test("what runs outlives the engine it was started with, and every start is counted", async () => {
  const world = new FakeWorld();
  const first = createFakeEngine(world);
  const layer = await first.layers.ensure("layer", "/nowhere");
  const { id } = await first.containers.create({
    name: "run-1",
    imageId: "image",
    labels: {
      user: "user1",
      twin: "tank",
      operation: "execute",
      run: "run-1",
      key: "k",
      source: "s",
      revision: "r",
      attempt: "1",
    },
    command: ["forever"],
    workingDir: "/workspace",
    environment: {},
    resources: { cpus: 1, memoryBytes: 1, pids: 1 },
    network: await first.networks.ensure("user1"),
    layer,
    graceMs: 0,
  });
  await Promise.all([first.containers.start(id), first.containers.start(id)]);
  await first.close();
  const second = createFakeEngine(world);
  const heard: string[] = [];
  const stop = new AbortController();
  const listening = (async () => {
    for await (const event of second.containers.events(stop.signal)) heard.push(event.kind);
  })();
  expect(await second.containers.list()).toMatchObject([{ id, state: "running" }]);
  expect(world.starts.get("run-1")).toBe(1);
  world.powerCut();
  world.reconnect();
  await expect.poll(() => heard).toEqual(["reconnected"]);
  expect(await second.containers.list()).toMatchObject([{ id, state: "exited", exitCode: 137 }]);
  stop.abort();
  await listening;
});

test("a test can fail or hold any call", async () => {
  const calls: string[] = [];
  const world = new FakeWorld({
    before: (method) => {
      calls.push(method);
      if (method === "networks.ensure") throw new Error("cut here");
    },
  });
  const engine = createFakeEngine(world);
  await expect(engine.networks.ensure("user1")).rejects.toThrow("cut here");
  expect(await engine.networks.list()).toEqual([]);
  expect(calls).toEqual(["networks.ensure", "networks.list"]);
});
