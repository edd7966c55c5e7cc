import { mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { liveMounts, pinnedMounts, readableProjects } from "./view-mounts.ts";
import { Views } from "./views.ts";

const commit = "a".repeat(40);
const own = { project: "dtaas/user1", commit };
const common = { project: "dtaas/common", commit };
const lab = { project: "lab/turbines", commit };
const view = {
  sources: [{ ...own, folder: "common" as const }, common, lab],
  assets: [],
  hidden: [],
  problems: [],
};
let data: DataFolder;

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "mounts-")));
  for (const { project } of [own, common, lab]) {
    mkdirSync(join(snapshotPath(data, project, commit), "models/a"), { recursive: true });
  }
});
afterEach(() => rm(data.root, { recursive: true, force: true }));

const pinned = (shared: (typeof common)[], placesFolders = true) => {
  const views = new Views(data, { hostPaths: !placesFolders });
  return pinnedMounts(
    { data, views, placesFolders },
    { view },
    { user: "user1", own, shared, container: "run" },
  );
};

test("a run sees one generation, and of each repository the one commit it leads to", async () => {
  const mounts = await pinned([common, lab]);
  const generation = join(data.views, "user1/g1");
  expect(mounts).toEqual([
    { source: generation, target: "/workspace/common" },
    { source: generation, target: "/views/current" },
    { source: snapshotPath(data, "dtaas/common", commit), target: `/assets/dtaas+common/${commit}` },
    { source: snapshotPath(data, "lab/turbines", commit), target: `/assets/lab+turbines/${commit}` },
  ]);
});

test("the user's own repository is there when it has a common folder", async () => {
  mkdirSync(join(snapshotPath(data, own.project, commit), "common/models/b"), { recursive: true });
  const targets = (await pinned([common])).map(({ target }) => target);
  expect(targets).toContain(`/assets/dtaas+user1/${commit}`);
});

test("what may not be read any more is refused as a whole", async () => {
  const secret = { project: "lab/secret", commit };
  await expect(pinned([common, secret])).rejects.toMatchObject({
    code: "ACCESS_REMOVED",
    message: expect.stringContaining("lab/secret"),
  });
  expect(readableProjects(undefined)).toEqual(new Set());
});

test("an engine that places no folders gets each repository at its own path", async () => {
  const mounts = await pinned([common], false);
  expect(mounts.map(({ target }) => target)).toEqual([
    "/workspace/common",
    snapshotPath(data, "dtaas/common", commit),
  ]);
});

test("a workspace follows its user's view, in which every repository is there whole", async () => {
  const views = new Views(data, { hostPaths: false });
  const mounts = await liveMounts({ data, views, placesFolders: true }, { user: "user1", view }, "workspace");
  expect(mounts).toEqual([
    { source: join(data.views, "user1"), target: "/views" },
    { source: join(data.snapshots, "dtaas+user1"), target: "/assets/dtaas+user1" },
    { source: join(data.snapshots, "dtaas+common"), target: "/assets/dtaas+common" },
    { source: join(data.snapshots, "lab+turbines"), target: "/assets/lab+turbines" },
  ]);
  expect(views.current("user1")).toBe("g1");
});
