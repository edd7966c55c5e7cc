import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { type DataFolder, dataFolder, projectFolder } from "#core/data-folder";
import { packageRoot } from "#core/package-root";
import { commitFiles, GitHttpServer } from "#test/fixtures/git-http-server";
import { Mirrors } from "./mirrors.ts";
import { Snapshots } from "./snapshots.ts";

const run = promisify(execFile);
const project = { id: 7, path: "lab/turbine-assets", defaultBranch: "main", webUrl: "" };
const filesPerCommit = 400;
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A shared repository of this many commits, each with files of its own content, fetched into a mirror. */
async function sharedRepository(commitCount: number, fileBytes: number) {
  const root = await mkdtemp(join(tmpdir(), "snapshots-kill-"));
  cleanUps.push(() => rm(root, { recursive: true, force: true }));
  const server = await GitHttpServer.start(join(root, "served"));
  cleanUps.push(() => server.close());
  const access = server.create(project.path);
  const data = dataFolder(join(root, "data"));
  const mirrors = new Mirrors({ folder: data.git, git: {} });
  const commits: string[] = [];
  for (let n = 0; n < commitCount; n += 1) {
    const files = Array.from({ length: filesPerCommit }, (_, f) => [
      `models/m${f % 10}/part${f}`,
      `${n} ${f} `.padEnd(fileBytes, "x"),
    ]);
    commits.push(commitFiles(access.gitDir, Object.fromEntries(files)));
    await mirrors.fetch(project, access);
  }
  return { data, mirrors, commits };
}

const seenFolder = (data: DataFolder) => join(data.snapshots, projectFolder(project.path));

/** What a container sees that has this repository mounted: only whole checkouts. Resolves to their names. */
function seenWhole(
  data: DataFolder,
  commits: readonly string[],
  looksAt: "files" | "names" = "files",
): string[] {
  const names = existsSync(seenFolder(data)) ? readdirSync(seenFolder(data)) : [];
  for (const name of names) {
    const version = commits.indexOf(name);
    expect(version, `${name} is no checkout of a revision`).toBeGreaterThanOrEqual(0);
    if (looksAt === "names") continue;
    const parts = Array.from({ length: filesPerCommit }, (_, f) => join(`models/m${f % 10}`, `part${f}`));
    for (const [f, part] of parts.entries()) {
      const text = readFileSync(join(seenFolder(data), name, part), "utf8");
      expect(text.startsWith(`${version} ${f} `)).toBe(true);
      expect(text.endsWith("x")).toBe(true);
    }
  }
  return names;
}

/** Another process that checks one commit out after the other. */
function checkOut(data: DataFolder, commits: readonly string[]) {
  const built = (path: string) => JSON.stringify(pathToFileURL(join(packageRoot, "dist", path)).href);
  const program = `
    const { dataFolder } = await import(${built("core/data-folder.js")});
    const { Mirrors } = await import(${built("controller/assets/mirrors.js")});
    const { Snapshots } = await import(${built("controller/assets/snapshots.js")});
    const [root, project, ...commits] = process.argv.slice(1);
    const data = dataFolder(root);
    const mirrors = new Mirrors({ folder: data.git, git: {} });
    const snapshots = await Snapshots.open(data, mirrors);
    for (const commit of commits) await snapshots.ensure(JSON.parse(project), commit);
    await new Promise(() => setInterval(() => {}, 1000));`;
  const args = ["--input-type=module", "-e", program, data.root, JSON.stringify(project), ...commits];
  return spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** How many files there are of the checkout that is being made of a commit; `undefined`: it is not begun, or done. */
function filesHalfMade(data: DataFolder, commit: string): number | undefined {
  try {
    const half = join(data.snapshots, ".half");
    const name = readdirSync(half).find((one) => one.startsWith(commit));
    if (name === undefined) return undefined;
    return readdirSync(join(half, name, "models"), { recursive: true }).length;
  } catch {
    return undefined; // it came or went while we looked
  }
}

/** Bytes of the files below a folder, each inode once. */
function bytesBelow(folder: string, seen = new Set<number>()): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path, seen);
    else if (entry.isFile()) {
      const { ino, size } = statSync(path);
      if (!seen.has(ino)) bytes += size;
      seen.add(ino);
    }
  }
  return bytes;
}

test("killed in the middle of a checkout, the controller shows nothing half-made and gives its space back", async () => {
  const { data, mirrors, commits } = await sharedRepository(4, 3_000);
  let hits = 0;
  for (let round = 0; round < 8; round += 1) {
    const child = checkOut(data, commits);
    const ended = new Promise((resolve) => child.once("close", resolve));
    // Another checkout and another moment of it each round; what is seen meanwhile is whole, too.
    const victim = round % commits.length;
    const wantedFiles = 10 + round * 40;
    for (;;) {
      const files = filesHalfMade(data, commits[victim] ?? "");
      if (files !== undefined && files >= wantedFiles) break;
      if (seenWhole(data, commits, "names").length > victim) break; // too late: it was quicker than we look
      if (child.exitCode !== null) throw new Error("the process that checks out has ended");
      await new Promise((resolve) => setImmediate(resolve));
    }
    child.kill("SIGKILL");
    await ended;
    const before = seenWhole(data, commits);
    hits += readdirSync(join(data.snapshots, ".half")).length;

    const snapshots = await Snapshots.open(data, mirrors);
    expect(readdirSync(join(data.snapshots, ".half"))).toEqual([]);
    expect(seenWhole(data, commits)).toEqual(before);
    expect(bytesBelow(data.snapshots)).toBeLessThanOrEqual(before.length * filesPerCommit * 3_000 + 4_096);
    await snapshots.ensure(project, commits[victim] ?? "");
    expect(seenWhole(data, commits)).toContain(commits[victim]);
    for (const commit of commits) await snapshots.remove(project.path, commit);
    await snapshots.close();
    expect(seenWhole(data, commits)).toEqual([]);
  }
  expect(hits, "times it was killed in the middle").toBeGreaterThan(3);
}, 120_000);

const canMount =
  process.getuid?.() === 0 && (await canMountHere(join(tmpdir(), `snapshots-probe-${process.pid}`)));
if (!canMount) console.warn("skipped: snapshots on a full disk (this account may not mount a tmpfs)");

test.skipIf(!canMount)(
  "on a full disk nothing half-made is seen or left, the old checkouts stay, and the new one follows once there is room",
  async () => {
    const { data, mirrors, commits } = await sharedRepository(2, 3_000);
    const [first = "", second = ""] = commits;
    await mkdir(data.snapshots, { recursive: true });
    await run("mount", ["-t", "tmpfs", "-o", "size=2500k", "tmpfs", data.snapshots]); // one checkout, not two
    cleanUps.push(() => run("umount", [data.snapshots]));
    const snapshots = await Snapshots.open(data, mirrors);
    await snapshots.ensure(project, first);
    const used = bytesBelow(data.snapshots);

    const making = snapshots.ensure(project, second);
    let isOver = false;
    const looking = (async () => {
      while (!isOver) {
        expect(seenWhole(data, commits)).toEqual([first]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await expect(making.finally(() => (isOver = true))).rejects.toMatchObject({ code: "DISK_FULL" });
    await looking;
    expect(seenWhole(data, commits)).toEqual([first]);
    expect(readdirSync(join(data.snapshots, ".half"))).toEqual([]);
    expect(bytesBelow(data.snapshots)).toBe(used);

    // Killed while the disk is full, too: the next start gives the space back.
    await mkdir(join(data.snapshots, ".half", `${second}-abcd`));
    await fill(join(data.snapshots, ".half", `${second}-abcd`, "part0"));
    await snapshots.close();
    const again = await Snapshots.open(data, mirrors);
    expect(bytesBelow(data.snapshots)).toBeLessThanOrEqual(used + 4_096);
    await again.remove(project.path, first);
    await again.ensure(project, second);
    expect(seenWhole(data, commits)).toEqual([second]);
    await again.close();
  },
);

/** Whether a small file system can be mounted here. */
async function canMountHere(folder: string): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
    await run("umount", [folder]);
    return true;
  } catch {
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(path: string): Promise<void> {
  for (let bytes = 64 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) await writeFile(path, Buffer.alloc(bytes), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
