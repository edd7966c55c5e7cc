import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { identifyProcess } from "#core/process-identity";
import { pingRedis } from "./ping-redis.ts";
import { type RunningRedis, startRedis } from "./start-redis.ts";

let folder = "";
const started: RunningRedis[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "redis-"));
});

afterEach(async () => {
  for (const redis of started.splice(0)) await redis.kill();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<RunningRedis> {
  const redis = await startRedis({ folder });
  started.push(redis);
  return redis;
}

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

test("what was written before a stop is there after the next start, at the same address", async () => {
  const first = await start();
  await withClient(first.url, (client) => client.set("key", "value"));
  await first.stop();
  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await withClient(second.url, (client) => client.get("key"))).toBe("value");
});

test("nobody gets in without the password, which stands on no command line", async () => {
  const redis = await start();
  const url = new URL(redis.url);
  await expect(pingRedis(`redis://127.0.0.1:${url.port}`, 2_000)).rejects.toThrow(/NOAUTH/);
  expect(await readFile(`/proc/${redis.pid}/cmdline`, "utf8")).not.toContain(url.password);
  expect((await stat(join(folder, "redis.conf"))).mode & 0o777).toBe(0o600);
});

test("it never evicts a key and keeps an append-only file", async () => {
  const redis = await start();
  const settings = await withClient(redis.url, (client) => client.config("GET", "*"));
  const value = (name: string) => (settings as string[])[(settings as string[]).indexOf(name) + 1];
  expect(value("maxmemory-policy")).toBe("noeviction");
  expect(value("appendonly")).toBe("yes");
  expect(value("bind")).toBe("127.0.0.1");
});

test("when its remembered port is taken meanwhile it takes another one and leaves the other server alone", async () => {
  const first = await start();
  await first.stop();
  const port = Number(new URL(first.url).port);
  const other = createServer((socket) => socket.end("-ERR somebody else\r\n"));
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
  try {
    const second = await start();
    expect(new URL(second.url).port).not.toBe(String(port));
    expect(other.listening).toBe(true);
  } finally {
    other.close();
  }
});

test("a second start on a folder in use is refused and does not disturb the first", async () => {
  const first = await start();
  await expect(startRedis({ folder })).rejects.toMatchObject({ code: "REDIS_FOLDER_IN_USE" });
  expect(await pingRedis(first.url, 2_000)).toMatchObject({ pid: first.pid });
});

test("a server left behind by an owner that died is ended, and its data is found", async () => {
  const first = await start();
  await withClient(first.url, (client) => client.set("key", "value"));
  const memory = join(folder, "server.json");
  const kept = (await readJson(memory)) as object;
  await writeJsonAtomic(memory, { ...kept, owner: { pid: process.pid, startTicks: 1 } }); // an owner of another life
  const second = await start();
  expect(identifyProcess(first.pid)).toBeUndefined();
  expect(await withClient(second.url, (client) => client.get("key"))).toBe("value");
});

test("a remembered process number that now belongs to somebody else is left alone", async () => {
  const first = await start();
  await first.stop();
  const bystander = spawn("sleep", ["60"]);
  try {
    const memory = join(folder, "server.json");
    const kept = (await readJson(memory)) as object;
    await writeJsonAtomic(memory, { ...kept, server: { pid: bystander.pid, startTicks: 1 } });
    await start();
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
  } finally {
    bystander.kill();
  }
});

test("its end is told to whoever watches it", async () => {
  const redis = await start();
  process.kill(redis.pid, "SIGKILL");
  expect(await redis.exited).toContain("SIGKILL");
});

test("a missing redis-server is named together with what mends it", async () => {
  await expect(startRedis({ folder, binary: "redis-server-not-there" })).rejects.toMatchObject({
    code: "REDIS_MISSING",
    hint: expect.stringContaining("apt-get install redis-server"),
  });
});
