import { expect, test } from "vitest";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { FakeWorld } from "../engine/fake/fake-world.ts";
import { KnownLayers } from "./known-layers.ts";

test("the engine is asked for layers once; what is made and removed afterwards is known, of users with dots too", async () => {
  const asked: string[] = [];
  const world = new FakeWorld({ before: (method) => void asked.push(method) });
  const { layers } = createFakeEngine(world);
  await layers.ensure("user1.tank.key1", "/snapshot");
  const known = new KnownLayers(layers);
  expect(await known.ofUser("user1")).toEqual([{ twin: "tank", key: "key1" }]);
  await known.ensure("user1.tank.key2", "/snapshot");
  await known.ensure("user1.b.tank.key1", "/snapshot");
  await known.remove("user1.tank.key1");
  expect(await known.ofUser("user1")).toEqual([{ twin: "tank", key: "key2" }]);
  expect(await known.ofUser("user1.b")).toEqual([{ twin: "tank", key: "key1" }]);
  expect(asked.filter((method) => method === "layers.list")).toHaveLength(1);
});

test("what somebody removed by hand is noticed at the next refresh, and an engine that was away is asked again", async () => {
  const world = new FakeWorld();
  const { layers } = createFakeEngine(world);
  const known = new KnownLayers(layers);
  await known.ensure("user1.tank.key1", "/snapshot");
  world.layers.clear();
  known.refresh();
  world.down = true;
  await expect(known.ofUser("user1")).rejects.toThrow("the engine cannot be reached");
  world.down = false;
  expect(await known.ofUser("user1")).toEqual([]);
});
