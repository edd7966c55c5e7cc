import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import type { AcceptedRun, Problem } from "#schemas/api";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  outcomeOf,
  startApi,
} from "../../test/fixtures/api-fixture.ts";
import { keyKeptMs } from "./idempotency-keys.ts";

let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("pump")]);
});
afterEach(async () => await api.close());

type Answer = { status: number; location: string | null; body: AcceptedRun & Problem };

async function post(path: string, body: unknown, key: string, who = "developer", at = api): Promise<Answer> {
  const response = await at.ask(who, "POST", path, body, { "Idempotency-Key": key });
  return {
    status: response.status,
    location: response.headers.get("location"),
    body: (await response.json()) as AcceptedRun & Problem,
  };
}
const run = (operation: string, key: string, more: { twin?: string; who?: string; at?: ApiFixture } = {}) =>
  post(`/twins/user1/${more.twin ?? "tank"}/runs`, { operation }, key, more.who, more.at);

async function requests(): Promise<string[]> {
  const names = await readdir(join(api.data.requests, "user1")).catch(() => []);
  return names.map((name) => name.replace(/\.json$/, "")).sort();
}

test("the same key with the same request is the same run, however often and at once it comes", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => run("create", "k1")));
  const [first] = answers;
  expect(first).toMatchObject({ status: 202, body: { operation: "create", twin: "tank" } });
  for (const answer of answers) expect(answer).toEqual(first);
  expect(await requests()).toEqual([first?.body.id]);
});

test("another key, or none, is another run", async () => {
  const ids = [
    (await run("create", "k1")).body.id,
    (await run("create", "k2")).body.id,
    (
      (await (
        await api.ask("developer", "POST", "/twins/user1/tank/runs", { operation: "create" })
      ).json()) as AcceptedRun
    ).id,
  ];
  expect(new Set(ids).size).toBe(3);
  expect(await requests()).toEqual(ids.sort());
});

test("the same key with another request is refused, and nothing is run", async () => {
  const { body } = await run("create", "k1");
  for (const other of [await run("execute", "k1"), await run("create", "k1", { twin: "pump" })]) {
    expect(other).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_KEY_REUSED" } });
    expect(other.body.detail).toContain(body.id);
  }
  expect(await requests()).toEqual([body.id]);
});

test("two people with the same key do not meet", async () => {
  const [mine, theirs] = [await run("create", "k1"), await run("execute", "k1", { who: "maintainer" })];
  expect([mine.status, theirs.status]).toEqual([202, 202]);
  expect(mine.body.id).not.toBe(theirs.body.id);
});

test("it is remembered after the run has ended, after a restart, and when the twin may no longer run", async () => {
  const first = await run("create", "k1");
  const { id } = first.body;
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  await rm(join(api.data.requests, "user1", `${id}.json`));
  await api.desire("user1", [desiredTwin("tank", { suspend: true })], { generation: 2 });
  const restarted = await startApi((deps) => deps, { folder: api.data });
  restarted.forge.level["dtaas/user1"] = { developer: 30 };
  try {
    expect(await run("create", "k1", { at: restarted })).toEqual(first);
    expect((await run("create", "k2", { at: restarted })).body.code).toBe("TWIN_SUSPENDED");
  } finally {
    await restarted.close();
  }
  expect(await requests()).toEqual([]);
});

test("a crash between key and request costs nothing: the request is made when it is sent again", async () => {
  const first = await run("create", "k1");
  await rm(join(api.data.requests, "user1", `${first.body.id}.json`));
  expect(await run("create", "k1")).toEqual(first);
  expect(await requests()).toEqual([first.body.id]);
});

test("a request that is refused leaves its key free", async () => {
  expect((await run("exicute", "k1")).body.code).toBe("OPERATION_UNKNOWN");
  expect(await run("execute", "k1")).toMatchObject({ status: 202 });
});

test("a rerun has keys, too, and they are none of a run's", async () => {
  const id = "r0000000000000000a";
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  const rerun = (key: string) => post(`/twins/user1/tank/runs/${id}/rerun`, undefined, key);
  const first = await rerun("k1");
  expect(first).toMatchObject({ status: 202, body: { operation: "create" } });
  expect(await rerun("k1")).toEqual(first);
  expect(await run("create", "k1")).toMatchObject({ status: 422 });
  expect(await requests()).toEqual([first.body.id]);
});

test("a day later the key is free again, and one that cannot be read is set aside", async () => {
  const { body } = await run("create", "k1");
  const folder = join(api.data.keys, "user1");
  const [name = ""] = await readdir(folder);
  const kept = JSON.parse(await readFile(join(folder, name), "utf8")) as object;
  const old = new Date(Date.now() - keyKeptMs - 1_000).toISOString();
  await writeJsonAtomic(join(folder, name), { ...kept, at: old });
  const later = await run("execute", "k1");
  expect(later.status).toBe(202);
  expect(later.body.id).not.toBe(body.id);
  await writeJsonAtomic(join(folder, name), { runId: "../../x" });
  expect((await run("create", "k1")).status).toBe(202);
  expect((await readdir(folder)).sort()).toEqual([name, `${name}.unreadable`]);
});

test.each(["", "a b", "é".repeat(2), "x".repeat(256)])("the key %j is none", async (key) => {
  const header = Buffer.from(key, "utf8").toString("latin1"); // as it would stand on the wire
  expect(await run("create", header)).toMatchObject({ status: 400, body: { code: "BAD_REQUEST" } });
  expect(await requests()).toEqual([]);
});
