import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { dataFolder, snapshotPath } from "#core/data-folder";
import type { ViewSource } from "#schemas/desired-state";
import { Views } from "./views.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function freshData() {
  const root = await mkdtemp(join(tmpdir(), "views-"));
  folders.push(root);
  return dataFolder(root);
}

/** A shared repository at a commit, as the controller would have checked it out. */
function snapshot(
  data: ReturnType<typeof dataFolder>,
  project: string,
  letter: string,
  files: Record<string, string>,
): ViewSource {
  const commit = letter.repeat(40);
  for (const [path, content] of Object.entries(files)) {
    const file = join(snapshotPath(data, project, commit), path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return { project, commit };
}

test("a view is the union of its sources, made of short links, and costs no copy", async () => {
  const data = await freshData();
  const first = snapshot(data, "dtaas/common", "a", { "models/tank/tank.py": "first", "README.md": "-" });
  const second = snapshot(data, "lab/turbines", "b", {
    "models/tank/tank.py": "second",
    "data/wind.csv": "1,2",
  });
  const views = new Views(data, { hostPaths: true });
  const { folder } = views.ensure("user1", [first, second]);
  expect(readdirSync(folder).sort()).toEqual([".r", "data", "models"]);
  expect(readlinkSync(join(folder, "models/tank"))).toBe("../.r/0/models/tank");
  expect(readFileSync(join(folder, "models/tank/tank.py"), "utf8")).toBe("first");
  expect(readFileSync(join(folder, "data/wind.csv"), "utf8")).toBe("1,2");
  for (const folderInside of [folder, join(folder, "models")]) {
    expect(lstatSync(folderInside).mode & 0o777).toBe(0o755);
  }
});

test("inside a container the links lead to /assets, with the user's own folder first", async () => {
  const data = await freshData();
  const own: ViewSource = {
    ...snapshot(data, "dtaas/user1", "c", { "common/models/tank/x": "own" }),
    folder: "common",
  };
  const shared = snapshot(data, "dtaas/common", "a", {
    "models/tank/x": "shared",
    "models/pump/x": "shared",
  });
  const views = new Views(data, { hostPaths: false });
  const { folder } = views.ensure("user1", [own, shared]);
  expect(readlinkSync(join(folder, ".r/0"))).toBe(`/assets/dtaas+user1/${own.commit}/common`);
  expect(readlinkSync(join(folder, ".r/1"))).toBe(`/assets/dtaas+common/${shared.commit}`);
  expect(readlinkSync(join(folder, "models/tank"))).toBe("../.r/0/models/tank");
  expect(readlinkSync(join(folder, "models/pump"))).toBe("../.r/1/models/pump");
});

test("the same sources are the same generation, after a restart too", async () => {
  const data = await freshData();
  const source = snapshot(data, "dtaas/common", "a", { "models/tank/x": "" });
  const other = snapshot(data, "dtaas/common", "b", { "models/tank/x": "" });
  const first = new Views(data, { hostPaths: true });
  expect(first.ensure("user1", [source]).name).toBe("g1");
  expect(first.ensure("user1", [other]).name).toBe("g2");
  const again = new Views(data, { hostPaths: true });
  expect(again.ensure("user1", [source]).name).toBe("g1");
  expect(again.ensure("user2", [source]).name).toBe("g1");
});

test("what the controller listed and what lies on disk make the same view", async () => {
  const data = await freshData();
  const source = snapshot(data, "dtaas/common", "a", { "models/tank/x": "", "data/b": "", "data/a": "" });
  const listed = ["data/a", "data/b", "models/tank"].map((path) => ({ path, id: "0".repeat(40), from: 0 }));
  const fromDisk = new Views(data, { hostPaths: true }).ensure("user1", [source]);
  const fromList = new Views(data, { hostPaths: true }).ensure("user2", [source], listed);
  const names = ({ folder }: { folder: string }) => readdirSync(folder, { recursive: true }).sort();
  expect(names(fromList)).toEqual(names(fromDisk));
});

test("a reader that resolved its generation once sees only it during a thousand changes", async () => {
  const data = await freshData();
  const views = new Views(data, { hostPaths: true });
  const sources = Array.from({ length: 10 }, (_, n) =>
    snapshot(data, "dtaas/common", String(n), {
      "models/a/version": String(n),
      "models/b/version": String(n),
    }),
  );
  const show = (n: number) => views.show("user1", views.ensure("user1", [sources[n % 10] as ViewSource]));
  show(0);
  const current = join(views.folder("user1"), "current");
  const read = (root: string) =>
    ["a", "b"].map((name) => readFileSync(join(root, "models", name, "version"), "utf8"));
  const resolved = realpathSync(current);
  for (let change = 1; change <= 1_000; change += 1) {
    const before = realpathSync(current);
    show(change);
    expect(read(resolved)).toEqual(["0", "0"]);
    const [a, b] = read(before);
    expect(a).toBe(b);
    expect(read(current)).toEqual([String(change % 10), String(change % 10)]);
  }
});

test("a generation goes when nobody can hold it, and not a moment earlier", async () => {
  const data = await freshData();
  const views = new Views(data, { hostPaths: true });
  const sources = ["1", "2", "3", "4", "5"].map((n) =>
    snapshot(data, "dtaas/common", n, { "models/a/x": n }),
  );
  const generations = sources.map((source) => views.ensure("user1", [source]));
  for (const generation of generations) views.show("user1", generation);
  const names = () =>
    readdirSync(views.folder("user1"))
      .filter((name) => /^g\d+$/.test(name))
      .sort();
  const none = new Set<string>();
  await views.collect("user1", none);
  expect(names()).toHaveLength(5); // all are young

  const longAgo = new Date(Date.now() - 3_600_000);
  for (const { folder } of generations) await utimes(folder, longAgo, longAgo);
  await views.holders.hold("user1", "run", { generation: "g1", kind: "pinned" });
  await views.holders.hold("user1", "workspace", { generation: "g3", kind: "live" });
  const later = new Views(data, { hostPaths: true }); // a runner that was restarted knows as much
  const soon = Date.now() + 3_600_000;
  await later.collect("user1", new Set(["run", "workspace"]), soon);
  expect(names()).toEqual(["g1", "g3", "g4", "g5"]);
  await later.collect("user1", new Set(["workspace"]), soon);
  expect(names()).toEqual(["g3", "g4", "g5"]);
  expect(later.needs("user1")).toEqual(
    ["3", "4", "5"].map((n) => ({ project: "dtaas/common", commit: n.repeat(40) })),
  );
  await later.collect("user1", none, soon);
  expect(names()).toEqual(["g5"]);
  expect(later.current("user1")).toBe("g5");
});

test("when it cannot be read who holds what, nothing is taken away", async () => {
  const data = await freshData();
  const views = new Views(data, { hostPaths: true });
  const old = views.ensure("user1", [snapshot(data, "dtaas/common", "1", { "models/a/x": "" })]);
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(old.folder, longAgo, longAgo);
  mkdirSync(data.viewHolders, { recursive: true });
  writeFileSync(join(data.viewHolders, "user1.json"), '{"run":{"generation":"g1"}}');
  expect(await views.collect("user1", new Set())).toBe(0);
  expect(existsSync(old.folder)).toBe(true);
});

test("a holder whose container is still to be made counts", async () => {
  const data = await freshData();
  const views = new Views(data, { hostPaths: true });
  const old = views.ensure("user1", [snapshot(data, "dtaas/common", "1", { "models/a/x": "" })]);
  views.show("user1", views.ensure("user1", [snapshot(data, "dtaas/common", "2", { "models/a/x": "" })]));
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(old.folder, longAgo, longAgo);
  await views.holders.hold("user1", "run", { generation: old.name, kind: "pinned" });
  expect(await views.collect("user1", new Set())).toBe(0);
  expect(existsSync(old.folder)).toBe(true);
});

test("what a crash or a power cut left half done is taken away, and made again", async () => {
  const data = await freshData();
  const source = snapshot(data, "dtaas/common", "a", { "models/tank/x": "", "models/pump/x": "" });
  const whole = new Views(data, { hostPaths: true }).ensure("user1", [source]);
  const folder = new Views(data, { hostPaths: true }).folder("user1");
  await rm(join(whole.folder, "models/pump")); // a name that never reached the disk
  mkdirSync(join(folder, ".new-g7/models"), { recursive: true });
  const again = new Views(data, { hostPaths: true }).ensure("user1", [source]);
  expect(readdirSync(join(again.folder, "models")).sort()).toEqual(["pump", "tank"]);
  expect(readdirSync(folder)).toEqual([again.name]);
});

test("users and generations share the links they have in common, and none is lost with another", async () => {
  const data = await freshData();
  const views = new Views(data, { hostPaths: true });
  const [one, two] = ["1", "2"].map((n) => snapshot(data, "dtaas/common", n, { "models/a/x": n }));
  const first = views.ensure("user1", [one as ViewSource]);
  const second = views.ensure("user2", [two as ViewSource]);
  const inode = ({ folder }: { folder: string }) => lstatSync(join(folder, "models/a")).ino;
  expect(inode(second)).toBe(inode(first));
  await views.forget("user2");
  await views.forget("user1");
  const third = views.ensure("user3", [two as ViewSource]);
  expect(readFileSync(join(third.folder, "models/a/x"), "utf8")).toBe("2");
});

test("a snapshot that is gone is said to be gone", async () => {
  const views = new Views(await freshData(), { hostPaths: true });
  const gone = { project: "dtaas/common", commit: "d".repeat(40) };
  expect(() => views.ensure("user1", [gone])).toThrow(expect.objectContaining({ code: "SNAPSHOT_MISSING" }));
});
