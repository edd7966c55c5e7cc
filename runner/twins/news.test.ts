import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { newRunId } from "#core/run-id";
import { RunStore } from "../runs/run-store.ts";
import { DesiredStore } from "./desired-store.ts";
import { News } from "./news.ts";
import { PublishedStates } from "./published-states.ts";

let data: DataFolder;
let published: PublishedStates;
let news: News;
let reads: string[];

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "news-")));
  await Promise.all([mkdir(data.desired), mkdir(data.requests), mkdir(data.observed)]);
  published = await PublishedStates.open(data, () => undefined);
  reads = [];
  const desired = new DesiredStore(data);
  const read = desired.get.bind(desired);
  desired.get = (user) => {
    reads.push(user);
    return read(user);
  };
  news = new News({
    data,
    desired,
    published,
    runs: new RunStore(data, () => undefined),
    logger: createLogger("test", "silent"),
  });
});
afterEach(async () => {
  await rm(data.root, { recursive: true });
});

async function want(user: string, generation: number): Promise<void> {
  await writeJsonAtomic(join(data.desired, `${user}.json`), {
    version: 1,
    ...{ user, generation, writtenAt: new Date().toISOString(), revision: "a".repeat(40) },
    ...{ project: { id: 1, path: `dtaas/${user}` }, twins: [], refused: [] },
  });
}

/** As if the last change of these folders was a while ago. */
async function letSettle(...folders: string[]): Promise<void> {
  for (const folder of folders) await utimes(folder, new Date(), new Date(Date.now() - 60_000));
}

test("a document that was not applied is news until it is, however its nudge was lost", async () => {
  await want("user1", 1);
  expect([...(await news.users())]).toEqual(["user1"]);
  published.publish("user1", 1, new Map(), []);
  expect([...(await news.users())]).toEqual([]);
  await want("user1", 2);
  expect([...(await news.users())]).toEqual(["user1"]);
});

test("where nothing was replaced no document is looked at", async () => {
  for (const user of ["user1", "user2", "user3"]) {
    await want(user, 1);
    published.publish(user, 1, new Map(), []);
  }
  await letSettle(data.desired);
  await news.users();
  expect(reads).toHaveLength(3);
  await news.users();
  await news.users();
  expect(reads).toHaveLength(3);
});

test("a run that somebody asked for is found, and a document that nobody can read does not hide it", async () => {
  await writeFile(join(data.desired, "aaa.json"), "{");
  const runId = newRunId(Date.now());
  await writeJsonAtomic(join(data.requests, "user1", `${runId}.json`), {
    ...{ version: 1, runId, user: "user1", twin: "tank", operation: "check" },
    ...{ requestedBy: "user1", requestedAt: new Date().toISOString() },
  });
  expect([...(await news.users())]).toEqual(["user1"]);
  await letSettle(data.desired, join(data.requests, "user1"));
  await news.users();
  expect([...(await news.users())]).toEqual([]); // told once; the run waits for its turn
  await writeFile(join(data.requests, "user1", `${runId}.cancel`), "");
  expect([...(await news.users())]).toEqual(["user1"]);
});
