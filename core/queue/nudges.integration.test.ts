import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningRedis, startRedis } from "#embedded/redis/start-redis";
import { createLogger } from "../logger.ts";
import { connectRedis } from "../redis.ts";
import { Nudges, startNudgeWorker } from "./nudges.ts";

const logger = createLogger("nudges", "silent");
let folder: string;
let redis: RunningRedis;
const connections: Redis[] = [];
let turn = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nudges-"));
  redis = await startRedis({ folder });
});

afterAll(async () => {
  for (const connection of connections) connection.disconnect();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

function connect(): Redis {
  const connection = connectRedis(redis.url, logger);
  connections.push(connection);
  return connection;
}

/** A queue of its own whose looks are counted by key. */
async function queueOf(pace: { ms: number; first: "now" | "later" } | undefined) {
  const queue = `nudges-${++turn}`;
  const looks: string[] = [];
  const nudges = new Nudges<{ key: string }>(connect(), logger, { queue, ...(pace && { pace }) });
  const check = (value: unknown) => value as { key: string };
  const worker = startNudgeWorker(connect(), logger, { queue, concurrency: 4, check }, async ({ key }) => {
    looks.push(key);
  });
  const end = async () => {
    await worker.close();
    await nudges.close();
  };
  return { nudges, looks, end, looksAt: (key: string) => looks.filter((one) => one === key).length };
}

const soon = { timeout: 10_000, interval: 10 };

test("the first nudge of a key is looked at once, a hundred that follow are one more look", async () => {
  const { nudges, looksAt, end } = await queueOf({ ms: 300, first: "now" });
  for (let n = 0; n < 101; n += 1) nudges.nudge("busy", { key: "busy" });
  nudges.nudge("other", { key: "other" });
  await expect.poll(() => looksAt("other"), soon).toBe(1);
  await expect.poll(() => looksAt("busy"), soon).toBe(2);
  nudges.nudge("last", { key: "last" });
  await expect.poll(() => looksAt("last"), soon).toBe(1);
  expect(looksAt("busy")).toBe(2);
  expect(looksAt("other")).toBe(1);
  await end();
});

test("nudges that wait for one another are one look, and none is lost", async () => {
  const { nudges, looks, end } = await queueOf({ ms: 200, first: "later" });
  for (let n = 0; n < 10; n += 1) nudges.nudge("a", { key: "a" });
  expect(looks).toEqual([]);
  await expect.poll(() => looks, soon).toEqual(["a"]);
  nudges.nudge("a", { key: "a" });
  await expect.poll(() => looks, soon).toEqual(["a", "a"]);
  await end();
});

test("without a pace a nudge during the work leads to one more look", async () => {
  const { nudges, looksAt, end } = await queueOf(undefined);
  nudges.nudge("a", { key: "a" });
  await expect.poll(() => looksAt("a"), soon).toBe(1);
  nudges.nudge("a", { key: "a" });
  await expect.poll(() => looksAt("a"), soon).toBe(2);
  await end();
});
