import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { dataFolder, previewedFolder, runFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { newRunId } from "#core/run-id";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedPreview, ObservedPreviews, WantedPreview } from "#schemas/previews";
import type { RunManifest, RunOutcome } from "#schemas/run";
import type { TwinsFromMergeRequests } from "#schemas/twin-spec";
import { validateRepository } from "#schemas/validate-repository";
import { GitReader } from "../assets/git-reader.ts";
import { Mirrors } from "../assets/mirrors.ts";
import { Snapshots } from "../assets/snapshots.ts";
import { runArchive } from "../reading/run-archive.ts";
import { assetList } from "../reconcile/asset-list.ts";
import { treeIds } from "../reconcile/repository-reading.ts";
import { sourceKey } from "../reconcile/source-key.ts";
import { Tracked } from "../reconcile/tracked.ts";
import { ComparisonStore } from "./comparison-store.ts";
import { previewRecords } from "./observed-previews.ts";
import { PreviewBook } from "./preview-book.ts";
import { PreviewComparisons } from "./preview-comparisons.ts";
import type { MergeRequestRef } from "./previews.ts";
import { WantedDocuments } from "./wanted-documents.ts";

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

const user1 = { id: 7, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
const user2 = { id: 8, path: "dtaas/user2", defaultBranch: "main", webUrl: "" };
const common = { id: 9, path: "dtaas/common", defaultBranch: "main", webUrl: "" };
const mergeRequest: MergeRequestRef = { projectId: 7, projectPath: "dtaas/user1", iid: 12 };

const spec = (
  parameter: number,
  preview = "{ operations: [execute], ttl: 1h, compare: [{ file: data/out/x.csv, column: level, tolerance: 1 }] }",
) => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: tank }
spec:
  assets: [{ model: common/models/tank }]
  parameters: { upper: ${parameter} }
  secrets: [PLANT_TOKEN]
  environment: { LOG_LEVEL: info }
  dependsOn: [other]
  schedule: { execute: "0 6 * * *" }
  lifecycle: { execute: { run: lifecycle/execute, outputs: [data/out] } }
${preview === "" ? "" : `  preview: ${preview}\n`}`;

const twin = (parameter: number, preview?: string) => ({
  "digital_twins/tank/dt.yaml": spec(parameter, preview),
  "digital_twins/tank/lifecycle/execute": "#!/bin/sh\n",
});

async function start(policy?: TwinsFromMergeRequests) {
  const data = dataFolder(await mkdtemp(join(tmpdir(), "book-")));
  const logger = createLogger("test", "silent");
  const onSetAside = () => undefined;
  await mkdir(data.git, { recursive: true });
  const mirrors = new Mirrors({ folder: data.git, git: {} });
  const snapshots = await Snapshots.open(data, mirrors);
  const tracked = await Tracked.open("dtaas", data, onSetAside);
  await tracked.setProjects([user1, user2, common]);
  const defaults = {
    workspace: { template: "base", packages: { apt: [], pip: [] } },
    resources: { cpus: 1, memoryBytes: 1024, pids: 10 },
  };
  await tracked.setPlatform({
    ...{ group: "dtaas", shared: [{ project: "dtaas/common", groups: [] }], defaults },
    ...(policy ? { twinsFromMergeRequests: policy } : {}),
  });
  const desired = new Map<string, DesiredState>();
  const told: MergeRequestRef[] = [];
  const nudged: string[] = [];
  const records = previewRecords(data, onSetAside);
  const compared = new ComparisonStore(data, onSetAside);
  const runs = runArchive(data, onSetAside);
  const open = async () =>
    new PreviewBook({
      ...{ mirrors, tracked, logger, templates: ["base"], records, compared, snapshots },
      desired: { get: (user) => desired.get(user), all: () => [...desired.values()] },
      documents: await WantedDocuments.open(data, onSetAside),
      comparisons: new PreviewComparisons({ data, runs, store: compared }),
      nudgeUser: (user) => nudged.push(user),
      onChange: (of) => told.push(of),
    });
  opened.push(async () => {
    await snapshots.close();
    await rm(data.root, { recursive: true, force: true });
  });

  /** A commit in the mirror, as if it had been fetched. */
  const commit = async (project: { id: number }, files: Record<string, string>): Promise<string> => {
    const gitDir = mirrors.path(project.id);
    const work = await mkdtemp(join(data.root, "work-"));
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
        env: { PATH: process.env["PATH"], GIT_DIR: gitDir, GIT_WORK_TREE: work },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    execFileSync("git", ["init", "--quiet", "--bare", gitDir]);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await writeFile(join(work, path), content);
      if (path.includes("lifecycle/")) await chmod(join(work, path), 0o755);
    }
    git("add", "--all");
    git("commit", "--quiet", "--allow-empty", "--message", "x");
    return git("rev-parse", "HEAD");
  };
  /** What is live: as the controller has read it from the default branches. */
  const live = async (user: string, project: typeof user1, own: string, shared: string): Promise<void> => {
    const tree = await GitReader.open(mirrors, project.id, own);
    const sharedTree = await GitReader.open(mirrors, common.id, shared);
    const part = { pinned: { project: common.path, commit: shared }, tree: sharedTree };
    const seen = assetList({ pinned: { project: project.path, commit: own }, tree }, [part], []);
    const { twins } = await validateRepository({
      ...{ user, tree, common: seen.tree, platform: tracked.platform, templates: ["base"] },
      read: (path) => tree.read(path, 1024 * 1024),
    });
    desired.set(user, {
      ...{ version: 1, user, generation: 1, writtenAt: "", project: { id: project.id, path: project.path } },
      ...{ revision: own, refused: [], view: seen.view },
      twins: twins.flatMap(({ name, document }) =>
        document
          ? [
              {
                ...document,
                name,
                sourceKey: sourceKey({ name, spec: document.spec }, treeIds(tree), treeIds(seen.tree)),
                revision: own,
                own: { project: project.path, commit: own },
              },
            ]
          : [],
      ),
    });
  };
  const document = async (user = "user1", id = "12") =>
    (await WantedDocuments.open(data, onSetAside)).get(user, id);
  /** What the runner would say. */
  const observe = async (
    wanted: WantedPreview,
    more: Partial<ObservedPreview>,
    user = "user1",
    id = "12",
  ) => {
    const { name, commit: of, attempt } = wanted;
    const since = new Date().toISOString();
    const twins: ObservedPreview[] = [
      { name, commit: of, attempt, phase: "running", since, runs: [], ...more },
    ];
    const record: ObservedPreviews = { version: 1, user, id, observedAt: since, twins, needs: [] };
    await writeJsonAtomic(join(previewedFolder(data, { user, id }), "state.json"), record);
  };
  return { data, open, commit, live, document, observe, told, nudged, tracked, snapshots, desired };
}

/** Two commits: what is live, and the merge result that raises a parameter. */
async function changed(policy?: TwinsFromMergeRequests) {
  const world = await start(policy);
  const shared = await world.commit(common, { "models/tank/model.py": "v1\n" });
  const before = await world.commit(user1, twin(36));
  const after = await world.commit(user1, {
    ...twin(40),
    "digital_twins/other/lifecycle/execute": "#!/bin/sh\n",
  });
  await world.live("user1", user1, before, shared);
  return { ...world, shared, before, after, book: await world.open() };
}

test("a preview is what the merge result says, with the shared commits of the live twin, and nothing that could act or tell", async () => {
  const { book, after, shared, document, nudged, commit, data } = await changed();
  await commit(common, { "models/tank/model.py": "v2\n" }); // pushed since; the live twin has not seen it
  await book.want({ ...mergeRequest, commit: after });
  const [preview] = (await document())?.twins ?? [];
  expect(preview).toMatchObject({
    ...{ name: "tank", commit: after, attempt: 1, ttlMs: 3_600_000, durationMs: 300_000 },
    operations: [{ name: "execute", run: "lifecycle/execute", outputs: ["data/out"] }],
    compare: [{ file: "data/out/x.csv", column: "level", tolerance: 1 }],
    own: { project: "dtaas/user1", commit: after },
    shared: [{ project: "dtaas/common", commit: shared }],
    parameters: { upper: 40 },
    environment: { LOG_LEVEL: "info" },
  });
  for (const gone of ["secrets", "dependsOn", "schedule", "health", "restart"])
    expect(preview).not.toHaveProperty(gone);
  expect(JSON.stringify(await document())).not.toContain("PLANT_TOKEN");
  expect(nudged).toEqual(["user1"]);
  expect(await book.states(mergeRequest)).toEqual([
    { twin: "tank", commit: after, phase: "waiting", runs: [], comparisons: [] },
  ]);
  expect(await readdir(join(data.snapshots, "dtaas+user1"))).toContain(after);
});

test("the same wish again changes nothing, after a restart neither; another commit takes its place", async () => {
  const { book, open, after, before, document, nudged } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  const first = await document();
  await book.want({ ...mergeRequest, commit: after });
  await (await open()).want({ ...mergeRequest, commit: after });
  expect(await document()).toEqual(first);
  expect(nudged).toHaveLength(1);
  await book.want({ ...mergeRequest, commit: before, twins: ["tank"] });
  expect((await document())?.twins).toMatchObject([{ commit: before, attempt: 1 }]);
});

test("only what changed and has a preview; nothing of it left when a push takes the change back", async () => {
  const { book, after, before, commit, document } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  expect((await document())?.twins.map(({ name }) => name)).toEqual(["tank"]);
  await book.want({ ...mergeRequest, commit: before });
  expect(await document()).toBeUndefined();
  const other = spec(36, "{ operations: [execute], ttl: 2h }");
  const onlyPreview = await commit(user1, { ...twin(36), "digital_twins/tank/dt.yaml": other });
  await book.want({ ...mergeRequest, commit: onlyPreview });
  expect((await document())?.twins).toMatchObject([{ name: "tank", ttlMs: 7_200_000 }]);
});

test("whoever names a twin is told why there is no preview of it", async () => {
  const { book, commit } = await changed();
  const broken = await commit(user1, {
    ...twin(1, ""),
    "digital_twins/broken/dt.yaml":
      "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: broken }\nspec: { stat: running }\n",
  });
  await book.want({ ...mergeRequest, commit: broken, twins: ["tank", "broken", "nobody"] });
  expect(
    (await book.states(mergeRequest)).map(({ twin: name, phase, reason }) => [name, phase, reason]),
  ).toEqual([
    ["broken", "failed", expect.stringMatching(/^digital_twins\/broken\/dt\.yaml:4:\d+: /)],
    ["nobody", "failed", "there is no such twin in the merge result"],
    ["tank", "failed", "its dt.yaml has no `preview`"],
  ]);
});

test.each([
  ["a name that climbs", { twins: ["../../etc"] }, "NO_PREVIEW_THERE"],
  ["a name with a line break", { twins: ["a\nb"] }, "NO_PREVIEW_THERE"],
  ["too many names", { twins: Array.from({ length: 51 }, (_, index) => `t${index}`) }, "TOO_MANY_PREVIEWS"],
  ["a commit that is none", { commit: "--upload-pack=x" }, "REVISION_NOT_FOUND"],
  ["a project of nobody here", { projectId: 99, projectPath: "other/project" }, "NO_PREVIEW_THERE"],
])("%s is refused", async (_name, change, code) => {
  const { book, after, document } = await changed();
  await expect(book.want({ ...mergeRequest, commit: after, ...change })).rejects.toMatchObject({ code });
  expect(await document()).toBeUndefined();
});

test("where platform.yaml says nobody, nothing is run", async () => {
  const { book, after, document } = await changed("nobody");
  await expect(book.want({ ...mergeRequest, commit: after })).rejects.toMatchObject({ code: "PREVIEWS_OFF" });
  expect(await document()).toBeUndefined();
});

test("asked for again, one that has ended runs once more, one that runs does not", async () => {
  const { book, after, document, observe } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  const [first] = (await document())?.twins ?? [];
  if (!first) throw new Error("no preview");
  expect((await book.use("user1")).cpus).toBe(0);
  await observe(first, { phase: "running" });
  expect(await book.use("user1")).toEqual({ twins: 0, cpus: 1, memoryBytes: 1024 });
  await book.want({ ...mergeRequest, commit: after, again: true });
  expect((await document())?.twins[0]?.attempt).toBe(1);
  await observe(first, { phase: "failed", reason: "x" });
  await book.want({ ...mergeRequest, commit: after, again: true });
  expect((await document())?.twins[0]?.attempt).toBe(2);
  expect(await book.states(mergeRequest)).toMatchObject([{ phase: "waiting" }]);
});

test("when it has ended its numbers stand beside those of the live twin's last successful run, and stay when the files have gone", async () => {
  const { book, after, before, document, observe, told, data } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  const [preview] = (await document())?.twins ?? [];
  if (!preview) throw new Error("no preview");
  const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;
  const runs = [
    {
      ...{ operation: "execute", run: newRunId(), startedAt: at(1), finishedAt: at(3) },
      ...{ outcome: "succeeded" as const, counts: true, exitCode: 0 },
    },
  ];
  const put = async (folder: string, text: string) => {
    await mkdir(join(folder, "outputs/data/out"), { recursive: true });
    await writeFile(join(folder, "outputs/data/out/x.csv"), text);
  };
  const kept = previewedFolder(data, { user: "user1", id: "12" });
  await put(join(kept, "tank", runs[0]?.run ?? ""), "level\n1\n2.5\n");
  await observe(preview, { phase: "done", runs });
  await book.look("user1");
  expect(await book.states(mergeRequest)).toMatchObject([
    {
      runs: [{ operation: "execute", exitCode: 0, durationMs: 2000 }],
      comparisons: [
        {
          verdict: "cannot-compare",
          reason: expect.stringContaining("no successful run"),
          preview: [1, 2.5],
        },
      ],
    },
  ]);

  const liveRun = async (level: number, outcome: RunOutcome["outcome"]) => {
    const id = newRunId();
    const folder = runFolder(data, "user1", "tank", id);
    const { name: _name, ...command } = preview.operations[0] ?? {
      name: "",
      run: "",
      workingDir: ".",
      graceMs: 0,
      outputs: [],
    };
    const { workspace, environment, resources, sourceKey: key } = preview;
    const manifest: RunManifest = {
      ...{ version: 1, id, user: "user1", twin: "tank", operation: "execute", cause: "state", attempt: 1 },
      ...{ sourceKey: key, revision: before, own: { project: "dtaas/user1", commit: before }, command },
      ...{ workspace, environment, resources, image: { hash: "h", id: "i" }, createdAt: at(0) },
    };
    await put(folder, `level\n1\n${level}\n`);
    await writeJsonAtomic(join(folder, "manifest.json"), manifest);
    const ended: RunOutcome = { outcome, finishedAt: at(1), stages: [], outputs: [], logTruncated: false };
    await writeJsonAtomic(join(folder, "outcome.json"), ended);
  };
  await liveRun(2, "succeeded");
  await liveRun(9, "failed");
  const compared = await book.states(mergeRequest);
  expect(compared[0]?.comparisons).toEqual([
    {
      ...{ file: "data/out/x.csv", column: "level", tolerance: 1, verdict: "pass", rows: 2 },
      ...{ maxDifference: 0.5, atRow: 2, meanDifference: 0.25, live: [1, 2], preview: [1, 2.5] },
    },
  ]);
  await book.look("user1");
  await book.look("user1");
  expect(told).toEqual([mergeRequest, mergeRequest]); // once for each change

  await rm(join(kept, "tank"), { recursive: true });
  await observe(preview, { phase: "expired", reason: "over", runs });
  expect((await book.states(mergeRequest))[0]?.comparisons).toEqual(compared[0]?.comparisons);
});

test("removed, nothing is wanted or said of it; of one that is not there, too", async () => {
  const { book, after, document, nudged } = await changed();
  await book.remove(mergeRequest);
  await book.want({ ...mergeRequest, commit: after });
  await book.remove(mergeRequest);
  await book.remove(mergeRequest);
  expect(await document()).toBeUndefined();
  expect(await book.states(mergeRequest)).toEqual([]);
  expect(nudged).toEqual(["user1", "user1"]);
});

test("in a merge request of a shared repository only named twins run, with its commit in place of theirs", async () => {
  const { book, commit, before, shared, live, document } = await changed();
  const theirs = await commit(user2, twin(50));
  await live("user2", user2, theirs, shared);
  const next = await commit(common, { "models/tank/model.py": "v3\n" });
  const of = { projectId: 9, projectPath: "dtaas/common", iid: 12 };
  await book.want({ ...of, commit: next });
  expect(await book.states(of)).toEqual([]);
  await book.want({ ...of, commit: next, twins: ["user2/tank"] });
  expect(await document("user1", "9-12")).toBeUndefined();
  expect((await document("user2", "9-12"))?.twins).toMatchObject([
    { own: { project: "dtaas/user2", commit: theirs }, shared: [{ project: "dtaas/common", commit: next }] },
  ]);
  expect(await book.states(of)).toMatchObject([{ twin: "user2/tank", commit: next, phase: "waiting" }]);
  await book.want({ ...of, commit: next, twins: ["user1/tank"] });
  expect(await document("user2", "9-12")).toBeUndefined();
  expect((await document("user1", "9-12"))?.twins).toMatchObject([{ own: { commit: before } }]);
  await expect(book.want({ ...of, commit: next, twins: ["nobody/tank"] })).rejects.toMatchObject({
    code: "NO_PREVIEW_THERE",
  });
});

test("at the start, what belongs to merge requests that are gone goes, and the rest has its snapshots again", async () => {
  const { book, open, after, snapshots, tracked, document } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  await book.want({ ...mergeRequest, iid: 13, commit: after });
  await snapshots.remove("dtaas/user1", after);
  const again = await open();
  await again.tidy(async ({ iid }) => (iid === 13 ? false : undefined));
  expect(await document("user1", "13")).toBeUndefined();
  expect(await document("user1", "12")).toBeDefined();
  expect(await snapshots.has({ project: "dtaas/user1", commit: after })).toBe(true);
  expect(await again.needs()).toContainEqual({ project: "dtaas/user1", commit: after });
  await tracked.setProjects([user2, common]);
  await again.tidy();
  expect(await document("user1", "12")).toBeUndefined();
  expect(await again.needs()).toEqual([]);
});

test("snapshots stay as long as the runner has something of them", async () => {
  const { book, after, document, observe, data } = await changed();
  await book.want({ ...mergeRequest, commit: after });
  const [preview] = (await document())?.twins ?? [];
  if (!preview) throw new Error("no preview");
  await observe(preview, { phase: "running" });
  const path = join(previewedFolder(data, { user: "user1", id: "12" }), "state.json");
  const record = JSON.parse(await readFile(path, "utf8")) as ObservedPreviews;
  await writeJsonAtomic(path, { ...record, needs: [preview.own] });
  await book.remove(mergeRequest);
  expect(await book.needs()).toEqual([preview.own]);
  await rm(dirname(path), { recursive: true });
  expect(await book.needs()).toEqual([]);
});
