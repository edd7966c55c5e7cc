import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { messageOf } from "#core/errors";
import { startRedis } from "#embedded/redis/start-redis";
import type { Clone } from "./clone.ts";
import { type Fault, FaultyProxy } from "./faulty-proxy.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, writeTwin } from "./twin-files.ts";

const run = promisify(execFile);

interface Ready {
  ready: boolean;
  checks: Record<string, { ok: boolean; reason?: string }>;
}

async function readiness(platform: Platform): Promise<Ready> {
  return (await (await fetch(`${platform.apiUrl}/readyz`)).json()) as Ready;
}

/** Resolves when the platform says of itself that this part fails, and why. */
async function saysFails(platform: Platform, part: string): Promise<void> {
  await until(`/readyz says that ${part} fails`, async () => {
    const { ready, checks } = await readiness(platform);
    return (!ready && checks[part]?.ok === false && checks[part].reason !== "") || JSON.stringify(checks);
  });
}

async function isReady(platform: Platform): Promise<void> {
  await until("/readyz is good again", async () => {
    const found = await readiness(platform);
    return found.ready || JSON.stringify(found.checks);
  });
}

async function isLiveAt(platform: Platform, name: string, commit: string): Promise<void> {
  await until(`${name} is live at the pushed revision`, async () => {
    const twin = await platform.twin("user1", name);
    return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
  });
  await until("the commit says so", async () => {
    const found = (await platform.statuses("user1", commit)).find((one) => one.name === `dtaas/${name}`);
    return found?.status === "success" || JSON.stringify(found);
  });
}

describe("Redis goes away", () => {
  let platform: Platform;
  let clone: Clone;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    await goesLive(platform, clone, "user1", "before");
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("frozen: deliveries are taken, the state is said, and all is caught up once it thaws", async () => {
    const since = new Date();
    process.kill(platform.redis.pid, "SIGSTOP");
    let commit = "";
    try {
      await saysFails(platform, "redis");
      const before = await platform.twin("user1", "good");
      await writeTwin(clone, "good", { says: "while frozen" });
      commit = await clone.push("feat: while Redis is frozen");
      await until("the delivery is accepted and waits", async () => {
        const { items } = (await platform.api("/deliveries")).body as {
          items: { event: string; outcome: string }[];
        };
        const mine = items.find(({ event }) => event.includes(commit.slice(0, 8)));
        return mine?.outcome === "accepted" || JSON.stringify(items[0]);
      });
      // What is said meanwhile is what is: the old revision runs.
      expect(await platform.twin("user1", "good")).toMatchObject({
        phase: "live",
        revision: before?.revision,
        containerId: before?.containerId,
      });
    } finally {
      process.kill(platform.redis.pid, "SIGCONT");
    }
    await isLiveAt(platform, "good", commit);
    await isReady(platform);
    expect([...(await platform.starts(since)).values()]).toEqual([
      { twin: "good", operation: "execute", starts: 1 },
    ]);
  });

  test("frozen: a twin that dies is kept up all the same", async () => {
    const before = await platform.twin("user1", "good");
    process.kill(platform.redis.pid, "SIGSTOP");
    try {
      await saysFails(platform, "redis");
      await platform.docker("kill", before?.containerId ?? "");
      await until("another container runs", async () => {
        const running = (await platform.containers()).filter(({ state }) => state === "running");
        return (running.length === 1 && running[0]?.id !== before?.containerId) || JSON.stringify(running);
      });
    } finally {
      process.kill(platform.redis.pid, "SIGCONT");
    }
    await isReady(platform);
  });

  test("killed with all it knew: what was pushed and asked for meanwhile is done when another one is up", async () => {
    const since = new Date();
    await platform.redis.kill();
    await saysFails(platform, "redis");
    await writeTwin(clone, "good", { says: "while dead" });
    const commit = await clone.push("feat: while Redis is dead");
    await until("the delivery is accepted", async () => {
      const { items } = (await platform.api("/deliveries")).body as { items: { event: string }[] };
      return items.some(({ event }) => event.includes(commit.slice(0, 8)));
    });
    const folder = join(platform.settings.dataFolder, "redis");
    await rm(join(folder, "appendonlydir"), { recursive: true, force: true });
    await rm(join(folder, "appendonly.aof"), { force: true });
    const { redisPassword } = platform.settings.secrets;
    const another = await startRedis({ folder, password: redisPassword });
    try {
      expect(another.url).toBe(platform.settings.redisUrl);
      await isLiveAt(platform, "good", commit);
      await isReady(platform);
      const starts = [...(await platform.starts(since)).values()];
      expect(starts).toEqual([{ twin: "good", operation: "execute", starts: 1 }]);
    } finally {
      await platform.controller?.stop();
      await platform.runner?.stop();
      await another.stop();
    }
  });
});

describe("the Git host fails", () => {
  let platform: Platform;
  let clone: Clone;
  let proxy: FaultyProxy;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    proxy = await FaultyProxy.start(platform.forgeUrl);
    await platform.controller?.stop();
    await platform.startController({ DTAAS_FORGE_URL: proxy.url, DTAAS_RESYNC_SECONDS: "2" });
    await goesLive(platform, clone, "user1", "before");
  });
  afterAll(async () => {
    await platform?.close();
    await proxy?.close();
  });

  test.each<[string, Fault]>([
    ["answers 429", { status: 429, headers: { "retry-after": "1" } }],
    ["answers 502", { status: 502 }],
    ["answers nothing at all", "silence"],
    ["breaks every connection", "reset"],
    ["refuses our token for a while", { status: 401 }],
  ])("it %s: what was pushed meanwhile goes live afterwards, and what ran runs on", async (title, fault) => {
    const before = await platform.twin("user1", "good");
    proxy.fault = fault;
    proxy.met = 0;
    await writeTwin(clone, "good", { says: title });
    const commit = await clone.push(`feat: while it ${title}`);
    await until("the platform has met the fault", async () => proxy.met >= 3 || proxy.met);
    // Without the host nobody can be let in, so what runs is asked of the engine.
    const running = (await platform.containers()).filter(({ state }) => state === "running");
    expect(running.map(({ id }) => id)).toEqual([before?.containerId]);
    proxy.fault = "none";
    await isLiveAt(platform, "good", commit);
  });

  test("its absence is said, and ends nobody's deliveries", async () => {
    proxy.fault = { status: 502 };
    await saysFails(platform, "forge");
    proxy.fault = "none";
    await isReady(platform);
    await until("no delivery waits", async () => {
      const { items } = (await platform.api("/deliveries")).body as { items: { outcome: string }[] };
      return items.every(({ outcome }) => outcome !== "accepted") || JSON.stringify(items);
    });
  });
});

// A disk of our own, so that filling it hurts nobody else. The forge and Redis lie elsewhere, as they may in production.
const disk = await mkdtemp(join(tmpdir(), "dtaas-disk-"));
const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=96m,mode=0755", "tmpfs", disk]).then(
  () => true,
  (error: unknown) => {
    const reason = `no file system can be mounted here: ${messageOf(error)}`;
    if (process.env["CI"] === "true") throw new Error(reason, { cause: error });
    console.warn(`skipped: ${reason}`);
    return false;
  },
);
afterAll(async () => {
  if (mounted) await run("umount", ["-l", disk]);
  await rm(disk, { recursive: true, force: true });
});

describe.skipIf(!mounted)("the disk is full", () => {
  let platform: Platform;
  let clone: Clone;
  let elsewhere: string;

  beforeAll(async () => {
    elsewhere = await mkdtemp(join(tmpdir(), "dtaas-elsewhere-"));
    const dataFolder = join(disk, "data");
    await mkdir(dataFolder);
    for (const name of ["forge", "redis", "logs"]) {
      await mkdir(join(elsewhere, name));
      await symlink(join(elsewhere, name), join(dataFolder, name));
    }
    platform = await Platform.start({ users: ["user1"], dataFolder });
    clone = await platform.clone("user1");
    await goesLive(platform, clone, "user1", "before");
  });
  afterAll(async () => {
    await platform?.close();
    if (elsewhere) await rm(elsewhere, { recursive: true, force: true });
  });

  test("pushes wait, nothing half-written is believed, and once there is room everything is caught up", async () => {
    const before = await platform.twin("user1", "good");
    const ballast = join(disk, "ballast");
    await fill(ballast);
    await saysFails(platform, "data");
    await writeTwin(clone, "good", { says: "with a full disk" });
    const commit = await clone.push("feat: with a full disk");
    const asked = await platform.api("/twins/user1/good/runs", {
      method: "POST",
      body: { operation: "execute" },
    });
    expect(asked.status).toBeGreaterThanOrEqual(500);
    expect(asked.body).toMatchObject({ code: "DISK_FULL" });
    // Both processes go on and say what is: the old revision runs.
    expect(await platform.twin("user1", "good")).toMatchObject({
      phase: "live",
      revision: before?.revision,
      containerId: before?.containerId,
    });
    await rm(ballast);
    await isReady(platform);
    await isLiveAt(platform, "good", commit);
    for (const child of [platform.controller, platform.runner]) process.kill(child?.pid ?? 0, 0);
  });
});

/** Takes every last block. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const bytes of [1024 * 1024, 4096, 1]) {
      for (;;) {
        const { bytesWritten } = await file.write(Buffer.alloc(bytes)).catch(() => ({ bytesWritten: 0 }));
        if (bytesWritten === 0) break;
      }
    }
  } finally {
    await file.close();
  }
}
