import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { dataFolder } from "#core/data-folder";
import {
  type OpenRun,
  rememberEnded,
  rememberOpen,
  rememberRefused,
  type TwinMemory,
} from "#planning/memory";
import { MemoryStore } from "./memory-store.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), "memory-"));
  folders.push(folder);
  return dataFolder(folder);
}

const run: OpenRun = {
  operation: "execute",
  cause: "state",
  key: "key1",
  attempt: 1,
  graceMs: 1_000,
  started: true,
};
const begins = (runId: string) => (memory: TwinMemory) => rememberOpen(memory, runId, run);
const ends = (runId: string) => (memory: TwinMemory) =>
  rememberEnded(memory, runId, { outcome: "succeeded", reason: undefined, lastedMs: 1, nowMs: 1 });
const refuses = (memory: TwinMemory) =>
  rememberRefused(memory, { key: "key1", revision: "a".repeat(40), reason: "no port" });

test("a run that has begun is known to the next process", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  await store.change("user1", "tank", refuses);
  await store.begin("user1", "tank", begins("run1"));
  const next = await new MemoryStore(data, () => undefined).get("user1", "tank");
  expect(Object.keys(next.open)).toEqual(["run1"]);
  expect(next.refused?.reason).toBe("no port");
});

test("after a power cut that left rubbish of the beginning, what was learnt before is still known", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  await store.change("user1", "tank", refuses);
  await store.begin("user1", "tank", begins("run1"));
  await writeFile(join(data.memory, "user1.begun"), "");
  const next = await new MemoryStore(data, () => undefined).get("user1", "tank");
  expect(next.open).toEqual({});
  expect(next.refused?.reason).toBe("no port");
});

test("an old beginning never undoes an ending, whatever the disk kept of it", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  await store.begin("user1", "tank", begins("run1"));
  await store.change("user1", "tank", ends("run1"));
  const next = new MemoryStore(data, () => undefined);
  expect((await next.get("user1", "tank")).open).toEqual({});
  expect((await next.get("user1", "tank")).keys["key1"]?.completed).toBe(true);
  await next.begin("user1", "tank", begins("run2"));
  expect(Object.keys((await new MemoryStore(data, () => undefined).get("user1", "tank")).open)).toEqual([
    "run2",
  ]);
});

test("changes of many twins at once are all on disk", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  const names = Array.from({ length: 20 }, (_, n) => `tank${n}`);
  await Promise.all(
    names.map((name, n) =>
      n % 2 === 0 ? store.change("user1", name, refuses) : store.begin("user1", name, begins(`run${n}`)),
    ),
  );
  expect((await new MemoryStore(data, () => undefined).twins("user1")).sort()).toEqual([...names].sort());
});

test("a user called like another one's file is another user", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  await store.begin("user1", "tank", begins("run1"));
  await store.begin("user1.begun", "pump", begins("run2"));
  await store.change("user1.json", "valve", refuses);
  const next = new MemoryStore(data, () => undefined);
  expect(await next.twins("user1")).toEqual(["tank"]);
  expect(await next.twins("user1.begun")).toEqual(["pump"]);
  expect(await next.twins("user1.json")).toEqual(["valve"]);
});

test("the last twin that is forgotten leaves nothing behind", async () => {
  const data = await newFolder();
  const store = new MemoryStore(data, () => undefined);
  await store.begin("user1", "tank", begins("run1"));
  await store.forget("user1", "tank");
  expect(await new MemoryStore(data, () => undefined).twins("user1")).toEqual([]);
});
