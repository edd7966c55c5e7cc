import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tar from "tar-stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { TryLaterError } from "#core/errors";
import type { DesiredState, RunRequest } from "#schemas/desired-state";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";
import { maxCopyBytes } from "./copy-limits.ts";
import { WorkTreeCopies } from "./work-tree-copies.ts";

const base = "b".repeat(40);
const runId = "r0000000000000000a";
const shared = { project: "dtaas/common", commit: "c".repeat(40) };
const dtYaml = (more = "") => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: pump }
spec:
  lifecycle: { execute: { run: lifecycle/execute } }
${more}`;
const script = { content: "#!/bin/sh\n", mode: 0o755 };

interface Sent {
  content?: string;
  mode?: number;
  type?: tar.Header["type"];
  linkname?: string;
  size?: number;
}

let data: DataFolder;
let desired: DesiredState;
/** What the command in the workspace prints, and how it ends. */
let sent: { bytes: Buffer; exitCode: number; errors: string };
let isRunning: boolean;

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "copies-")));
  isRunning = true;
  sent = { bytes: Buffer.alloc(0), exitCode: 0, errors: "" };
  desired = {
    version: 1,
    user: "user1",
    generation: 1,
    writtenAt: "2026-01-01T00:00:00.000Z",
    project: { id: 1, path: "dtaas/user1" },
    revision: base,
    twins: [],
    refused: [],
    view: {
      sources: [shared],
      assets: [{ path: "models/tank", id: "1", from: 0 }],
      hidden: [],
      problems: [],
    },
  };
  await mkdir(join(snapshotPath(data, shared.project, shared.commit), "models/tank"), { recursive: true });
});
afterEach(async () => await rm(data.root, { recursive: true, force: true }));

async function send(files: Record<string, Sent>, head = `dtaas-copy 1 ${base}\n`): Promise<void> {
  const pack = tar.pack();
  for (const [name, { content = "", mode = 0o644, type = "file", linkname, size }] of Object.entries(files)) {
    const header = { name, mode, type, ...(linkname === undefined ? {} : { linkname }) };
    pack.entry(size === undefined ? header : { ...header, size }, content);
  }
  pack.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of pack) pieces.push(piece as Buffer);
  sent.bytes = Buffer.concat([Buffer.from(head), ...pieces]);
}

const containers = {
  list: async () =>
    isRunning ? [{ id: "w1", user: "user1", session: 1, state: "running", imageId: "i" }] : [],
  stream: async (_id, _command, _limits, take) => {
    const inPieces = async function* () {
      for (let at = 0; at < sent.bytes.length; at += 1_000) yield sent.bytes.subarray(at, at + 1_000);
    };
    let failure: unknown;
    await take(inPieces()).catch((error: unknown) => (failure = error));
    if (failure !== undefined && sent.exitCode === 0) throw failure;
    return { exitCode: sent.exitCode, errors: sent.errors };
  },
} satisfies Pick<WorkspaceContainers, "stream"> & { list: unknown } as unknown as WorkspaceContainers;

const openCopies = () =>
  WorkTreeCopies.open({
    data,
    containers,
    desired: async () => desired,
    defaults: async () => undefined,
    templates: ["base", "python"],
  });

const request = (more: Partial<RunRequest> = {}): RunRequest => ({
  ...{ version: 1, runId, user: "user1", twin: "pump", operation: "execute", requestedBy: "user1" },
  ...{ requestedAt: "2026-01-01T00:00:00.000Z", worktree: true },
  ...more,
});

async function copied(more: Partial<RunRequest> = {}, copies?: WorkTreeCopies) {
  const known = copies ?? (await openCopies());
  const asked = request(more);
  await new Promise<void>((resolve) => known.start(asked, resolve));
  return known.of("user1").get(asked.runId);
}
const reason = async (more: Partial<RunRequest> = {}) => {
  const copy = await copied(more);
  return copy?.state === "failed" ? copy.reason : copy?.state;
};

test("a copy is written as it was sent, with the source that its dt.yaml describes", async () => {
  await send({
    "digital_twins/pump/dt.yaml": { content: dtYaml("  resources: { cpus: 2 }\n") },
    "digital_twins/pump/lifecycle/execute": script,
    "data/latest": { type: "symlink", linkname: "../digital_twins/pump/dt.yaml" },
  });
  const copies = await openCopies();
  const copy = await copied({}, copies);
  expect(copy).toMatchObject({
    state: "ready",
    about: { base, files: 3, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    source: {
      name: "pump",
      revision: base,
      state: "stopped",
      spec: { resources: { cpus: 2 }, lifecycle: { execute: { run: "lifecycle/execute" } } },
      shared: [shared],
    },
  });
  const at = (path: string) => join(copies.folder("user1", runId), path);
  expect(await readFile(at("digital_twins/pump/lifecycle/execute"), "utf8")).toBe(script.content);
  expect((await lstat(at("digital_twins/pump/lifecycle/execute"))).mode & 0o7777).toBe(0o777);
  expect((await lstat(at("digital_twins/pump/dt.yaml"))).mode & 0o7777).toBe(0o666);
  expect(await readlink(at("data/latest"))).toBe("../digital_twins/pump/dt.yaml");
});

test("equal files have an equal digest, whatever else differs; another mode is another digest", async () => {
  const files = { "digital_twins/pump/lifecycle/execute": script };
  const digest = async (sentFiles: Record<string, Sent>, id: string) => {
    await send(sentFiles);
    const copy = await copied({ runId: id });
    return copy?.state === "ready" ? copy.about.digest : copy;
  };
  const first = await digest(files, "r0000000000000000a");
  expect(await digest(files, "r0000000000000000b")).toBe(first);
  expect(await digest({ ...files, more: { mode: 0o755 } }, "r0000000000000000c")).not.toBe(
    await digest({ ...files, more: {} }, "r0000000000000000d"),
  );
});

test("a twin without dt.yaml, and one that Git does not have, is a twin all the same", async () => {
  await send({ "digital_twins/pump/lifecycle/analyse": script });
  const copy = await copied();
  expect(copy).toMatchObject({
    state: "ready",
    source: { derived: true, spec: { lifecycle: { analyse: {} } } },
  });
});

test.each([
  ["a wrong word", dtYaml("  state: runing\n"), "digital_twins/pump/dt.yaml:6:10: "],
  [
    "an asset that nobody has",
    dtYaml("  assets: [{ model: common/models/none }]\n"),
    "digital_twins/pump/dt.yaml:6:21: ",
  ],
  [
    "a script that is not there",
    dtYaml().replace("run: lifecycle/execute", "run: lifecycle/none"),
    "digital_twins/pump/dt.yaml:5:32: ",
  ],
])("%s is told with file, line and column", async (_title, content, place) => {
  await send({ "digital_twins/pump/dt.yaml": { content }, "digital_twins/pump/lifecycle/execute": script });
  expect(await reason()).toContain(place);
  expect(await readdir(join(data.copies, "user1"))).toEqual([]);
});

test("a shared asset that the user sees is there, and what is wrong with other twins does not matter", async () => {
  await send({
    "digital_twins/pump/dt.yaml": { content: dtYaml("  assets: [{ model: common/models/tank }]\n") },
    "digital_twins/pump/lifecycle/execute": script,
    "digital_twins/other/dt.yaml": { content: "nonsense: [" },
  });
  expect(await reason()).toBe("ready");
});

test("the copy's own workspace.yaml counts", async () => {
  await send({
    "workspace.yaml": { content: "apiVersion: dtaas/v1\nkind: Workspace\nspec: { template: python }\n" },
    "digital_twins/pump/lifecycle/execute": script,
  });
  expect(await copied()).toMatchObject({ source: { spec: { workspace: { template: "python" } } } });
  await send({
    "workspace.yaml": { content: "apiVersion: dtaas/v1\nkind: Workspace\nspec: { templaet: python }\n" },
    "digital_twins/pump/lifecycle/execute": script,
  });
  expect(await reason({ runId: "r0000000000000000b" })).toContain("workspace.yaml:3:9: ");
});

test("a twin that the workspace does not have is named", async () => {
  await send({ "README.md": {} });
  expect(await reason()).toContain("no twin in digital_twins/pump");
});

test.each<[string, Record<string, Sent>]>([
  ["a way out", { "../outside": {} }],
  ["an absolute path", { "/etc/passwd": {} }],
  ["a .git", { ".git/config": { content: "[core]" } }],
  ["a disguised .git", { "digital_twins/.GIT/hooks/x": {} }],
  ["a link out", { link: { type: "symlink", linkname: "../../etc/passwd" } }],
  ["an absolute link", { link: { type: "symlink", linkname: "/etc/passwd" } }],
  ["links in a circle", { a: { type: "symlink", linkname: "b" }, b: { type: "symlink", linkname: "a" } }],
  ["a hard link", { link: { type: "link", linkname: "/etc/passwd" } }],
  ["a device", { device: { type: "character-device" } }],
  ["a pipe", { pipe: { type: "fifo" } }],
  ["a control character", { "a\nb": {} }],
  ["a file below a file", { a: { content: "x" }, "a/b": {} }],
  ["a file below a link", { a: { type: "symlink", linkname: "b" }, "a/b": {} }],
])("%s is refused, and nothing of it stays or is written elsewhere", async (_title, files) => {
  const outside = await readdir(data.root);
  await send({ "digital_twins/pump/lifecycle/execute": script, ...files });
  const told = await reason();
  expect(told).not.toBe("ready");
  expect(told).not.toBe("copying");
  expect(await readdir(join(data.copies, "user1"))).toEqual([]);
  expect((await readdir(data.root)).filter((name) => !outside.includes(name))).toEqual(["copies"]);
});

test("what is no copy at all, or larger than it may be, is refused", async () => {
  await send({ a: {} }, "something else\n");
  expect(await reason()).toContain("no copy");
  sent.bytes = Buffer.alloc(10_000, 0x61);
  expect(await reason()).toContain("no copy");
  await send({ a: { content: "x" } });
  // A header may promise anything: only this one is looked at before the limit is passed.
  const promised = Buffer.from(sent.bytes);
  const header = promised.indexOf(0x0a) + 1;
  promised.write((maxCopyBytes + 1).toString(8).padStart(11, "0"), header + 124, "latin1");
  promised.fill(0x20, header + 148, header + 156);
  const sum = promised.subarray(header, header + 512).reduce((total, byte) => total + byte, 0);
  promised.write(`${sum.toString(8).padStart(6, "0")}\0 `, header + 148, "latin1");
  sent.bytes = promised;
  expect(await reason()).toContain("512 MiB");
});

test("what the command inside says went wrong is what the user reads", async () => {
  await send({ a: {} });
  sent = {
    ...sent,
    exitCode: 1,
    errors: "warning\nthe work tree has 20000 files, and a copy may have 10000\n",
  };
  expect(await reason()).toContain("the work tree has 20000 files, and a copy may have 10000");
  sent = { ...sent, exitCode: 127, errors: "" };
  expect(await reason()).toContain("a session that began with this version");
  isRunning = false;
  expect(await reason()).toContain("dtaas workspace start user1");
});

test("secrets are for copies of those who may push them, and only those that Git names", async () => {
  await send({
    "digital_twins/pump/dt.yaml": { content: dtYaml("  secrets: [TOKEN]\n") },
    "digital_twins/pump/lifecycle/execute": script,
  });
  expect(await reason()).toContain("maintainer");
  expect(await reason({ mayUseSecrets: true })).toContain("push the list of secrets first");
});

test("a copy that asks for more than its user may use is refused", async () => {
  desired = { ...desired, limits: { cpus: 1 } };
  await send({
    "digital_twins/pump/dt.yaml": { content: dtYaml("  resources: { cpus: 2 }\n") },
    "digital_twins/pump/lifecycle/execute": script,
  });
  expect(await reason()).toContain("limits.perUser.cpus");
});

test("parameters that the copy does not declare are refused", async () => {
  await send({ "digital_twins/pump/lifecycle/execute": script });
  expect(await reason({ parameters: { level: 3 } })).toContain("there is no parameter");
});

test("a copy outlives this process, and half of one does not", async () => {
  await send({ "digital_twins/pump/lifecycle/execute": script });
  await copied();
  await mkdir(join(data.copies, "user1", `.half-${runId}`, "tree"), { recursive: true });
  await mkdir(join(data.copies, "user1", "r0000000000000000b"));
  await writeFile(join(data.copies, "user1", "r0000000000000000b", "copy.json"), "{");
  const again = await openCopies();
  expect([...again.of("user1").keys()]).toEqual([runId]);
  expect(await readdir(join(data.copies, "user1"))).toEqual([runId]);
  await again.remove("user1", runId);
  expect(await readdir(join(data.copies, "user1"))).toEqual([]);
  expect(again.of("user1").size).toBe(0);
});

test("an engine that is away for a moment is asked again", async () => {
  const away = vi
    .spyOn(containers, "list")
    .mockRejectedValueOnce(new TryLaterError("the engine is away", { retryAfterMs: 1 }));
  await send({ "digital_twins/pump/lifecycle/execute": script });
  const copies = await openCopies();
  expect(await copied({}, copies)).toBeUndefined();
  expect(await copied({}, copies)).toMatchObject({ state: "ready" });
  away.mockRestore();
});
