import { execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { packageRoot } from "#core/package-root";
import { Views } from "./views.ts";

const run = promisify(execFile);
const assetsPerSource = 40;
const commits = Array.from({ length: 6 }, (_, n) => String(n).repeat(40));
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function freshData(folder?: string): Promise<DataFolder> {
  const root = folder ?? (await mkdtemp(join(tmpdir(), "views-kill-")));
  cleanUps.push(() => rm(root, { recursive: true, force: true }));
  const data = dataFolder(root);
  for (const commit of commits) {
    for (let n = 0; n < assetsPerSource; n += 1) {
      const folderOfAsset = join(snapshotPath(data, "dtaas/common", commit), "models", `m${n}`);
      mkdirSync(folderOfAsset, { recursive: true });
      writeFileSync(join(folderOfAsset, "version"), commit);
    }
  }
  return data;
}

/** What the user sees is whole: every asset, all of one commit. */
function seenCommit(views: Views): string {
  const root = realpathSync(join(views.folder("user1"), "current"));
  const names = readdirSync(join(root, "models"));
  expect(names).toHaveLength(assetsPerSource);
  const versions = new Set(names.map((name) => readFileSync(join(root, "models", name, "version"), "utf8")));
  expect(versions.size).toBe(1);
  return [...versions][0] ?? "";
}

/** Another process that shows one commit after the other, for ever. */
function showForEver(data: DataFolder) {
  const built = (path: string) => JSON.stringify(pathToFileURL(join(packageRoot, "dist", path)).href);
  const program = `
    const { dataFolder } = await import(${built("core/data-folder.js")});
    const { Views } = await import(${built("runner/mounts/views.js")});
    const views = new Views(dataFolder(process.argv[1]), { hostPaths: true });
    for (let n = 0; ; n += 1) {
      const generation = views.ensure("user1", [{ project: "dtaas/common", commit: String(n % 6).repeat(40) }]);
      views.show("user1", generation);
      if (n % 6 === 5) await views.collect("user1", new Set(), Date.now() + 3_600_000);
      process.stdout.write(".");
      await new Promise(setImmediate);
    }`;
  const args = ["--input-type=module", "-e", program, data.root];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

test("killed at any moment, the runner leaves a whole view and nothing that is taken for one", async () => {
  const data = await freshData();
  for (let round = 0; round < 12; round += 1) {
    const child = showForEver(data);
    const ended = new Promise((resolve) => child.once("close", resolve));
    let seen = 0;
    // A different moment each round, counted in changes and not in time.
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 3 + ((round * 7) % 11)) resolve();
      });
      child.once("close", () => resolve());
    });
    child.kill("SIGKILL");
    await ended;
    const views = new Views(data, { hostPaths: true });
    expect(commits).toContain(seenCommit(views));
    views.show(
      "user1",
      views.ensure("user1", [{ project: "dtaas/common", commit: commits[round % 6] ?? "" }]),
    );
    expect(seenCommit(views)).toBe(commits[round % 6]);
    expect(readdirSync(views.folder("user1")).filter((name) => name.startsWith("."))).toEqual([]);
  }
}, 120_000);

const canMount =
  process.getuid?.() === 0 && (await tmpfs(join(tmpdir(), `views-probe-${process.pid}`), "64k"));
if (!canMount) console.warn("skipped: a view on a full disk (this account may not mount a tmpfs)");

test.skipIf(!canMount)(
  "on a full disk the view stays as it was, and follows once there is room",
  async () => {
    const data = await freshData();
    const full = data.views;
    expect(await tmpfs(full, "100k", true)).toBe(true);
    const views = new Views(data, { hostPaths: true });
    const source = (n: number) => [{ project: "dtaas/common", commit: commits[n] ?? "" }];
    views.show("user1", views.ensure("user1", source(0)));
    fill(full);
    expect(() => views.show("user1", views.ensure("user1", source(1)))).toThrow(
      expect.objectContaining({ code: "DISK_FULL" }),
    );
    expect(seenCommit(views)).toBe(commits[0]);
    expect(seenCommit(new Views(data, { hostPaths: true }))).toBe(commits[0]);
    await rm(join(full, "filler"));
    views.show("user1", views.ensure("user1", source(1)));
    expect(seenCommit(views)).toBe(commits[1]);
  },
);

/** Mounts a small file system; unless it is kept, only to see whether that works. */
async function tmpfs(folder: string, size: string, isKept = false): Promise<boolean> {
  mkdirSync(folder, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  } catch {
    return false;
  }
  if (isKept) cleanUps.push(() => run("umount", [folder]));
  else {
    await run("umount", [folder]);
    await rm(folder, { recursive: true });
  }
  return true;
}

function fill(folder: string): void {
  for (let bytes = 64 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) writeFileSync(join(folder, "filler"), Buffer.alloc(bytes), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
