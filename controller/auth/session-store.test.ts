import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SessionStore, type StoredSession } from "./session-store.ts";

const secret = "s".repeat(32);

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "session-store-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function session(
  access: string,
  expiresAt: number,
  more: { uat?: number; sid?: string } = {},
): StoredSession {
  const { uat = 1_000, sid } = more;
  return {
    header: { iat: 1_000, uat, exp: 9_000_000_000 },
    data: { id_token: "i", access_token: access, refresh_token: `r-${access}`, expires_at: expiresAt, sid },
  };
}

test("a session is there again after a restart, for whoever has the secret, and its owner only may read the file", async () => {
  const folder = await newFolder();
  const store = await SessionStore.open(folder, secret);
  await store.set("one", session("a", 5_000));
  const [name = ""] = await readdir(folder);
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await readFile(join(folder, name), "utf8")).toMatch(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
  expect(await (await SessionStore.open(folder, secret)).get("one")).toEqual(session("a", 5_000));
  expect(await (await SessionStore.open(folder, "t".repeat(32))).get("one")).toBeUndefined();
});

test("a request that began before a refresh does not bring the old tokens back", async () => {
  const store = await SessionStore.open(await newFolder(), secret);
  await store.set("one", session("new", 9_000));
  await store.set("one", session("old", 5_000, { uat: 2_000 }));
  expect((await store.get("one"))?.data.access_token).toBe("new");
  await store.set("one", session("other", 4_000, { sid: "signed in anew" }));
  expect((await store.get("one"))?.data.access_token).toBe("other");
});

test("a request that ends after the sign-out does not bring the session back", async () => {
  const folder = await newFolder();
  const store = await SessionStore.open(folder, secret);
  await store.set("one", session("a", 5_000));
  await Promise.all([store.destroy("one"), store.set("one", session("a", 5_000, { uat: 8_000 }))]);
  expect(await store.get("one")).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
});

test("that a session is used is written down now and then, not with each request", async () => {
  const folder = await newFolder();
  const store = await SessionStore.open(folder, secret);
  await store.set("one", session("a", 5_000));
  const [name = ""] = await readdir(folder);
  const read = () => readFile(join(folder, name), "utf8");
  const first = await read();
  await store.set("one", session("a", 5_000, { uat: 1_200 }));
  expect(await read()).toBe(first);
  await store.set("one", session("a", 5_000, { uat: 1_301 }));
  expect(await read()).not.toBe(first);
});

test("what was altered, or is no session at all, is none; what is too old goes", async () => {
  const folder = await newFolder();
  const store = await SessionStore.open(folder, secret);
  await store.set("one", session("a", 5_000));
  const [name = ""] = await readdir(folder);
  const path = join(folder, name);
  const text = await readFile(path, "utf8");
  for (const altered of [text.slice(0, -3), "", "{}", "a.b.c.d.e"]) {
    await writeFile(path, altered);
    expect(await (await SessionStore.open(folder, secret)).get("one"), altered).toBeUndefined();
  }
  await utimes(path, new Date(), new Date(Date.now() - 3_000_000));
  await store.sweep(3_000);
  expect(await readdir(folder)).toEqual([name]);
  await store.sweep(2_000);
  expect(await readdir(folder)).toEqual([]);
});
