import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { type RunningForge, startForge } from "#embedded/forge/start-forge";
import type { DesiredState } from "#schemas/desired-state";
import { keepPipeline } from "#schemas/keep-pipeline";
import { repositoryTree } from "#schemas/repository-tree";
import { desiredTwin } from "../../test/fixtures/api-fixture.ts";
import { Mirrors } from "../assets/mirrors.ts";
import type { ForgeProject } from "../forge/forge.ts";
import { GitLabForge } from "../forge/gitlab/gitlab-forge.ts";
import { proposePipeline } from "./propose-pipeline.ts";

let folder: string;
let running: RunningForge;
let forge: GitLabForge;
let mirrors: Mirrors;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "propose-"));
  running = await startForge({ dataFolder: join(folder, "forge"), logger: createLogger("forge", "silent") });
  const { admin } = running;
  await admin.ensureUser({ username: "root", name: "Root", admin: true });
  await admin.ensureUser({ username: "dtaas-bot", name: "DTaaS" });
  await admin.ensureGroup("dtaas");
  await admin.ensureMember("dtaas", "dtaas-bot", 40);
  token = await admin.ensureToken("dtaas-bot", "platform", ["api", "write_repository"]);
  forge = new GitLabForge({ url: running.url, token });
  mirrors = new Mirrors({ folder: join(folder, "git"), git: {} });
});
afterAll(async () => {
  await running.close();
  await rm(folder, { recursive: true, force: true });
});

async function userWith(user: string, files: Record<string, string>): Promise<ForgeProject> {
  await running.admin.ensureProject(`dtaas/${user}`, { visibility: "private" });
  const made = await forge.project(`dtaas/${user}`);
  if (!made) throw new Error("no project");
  await push(made, files);
  const project = await forge.project(`dtaas/${user}`);
  if (!project) throw new Error("no project");
  return project;
}

async function push(project: ForgeProject, files: Record<string, string>): Promise<void> {
  const actions = Object.entries(files).map(([path, text]) => ({
    ...{ action: "create" as const, path, content: Buffer.from(text), executable: false },
  }));
  await forge.commit(project, { token, message: "change", actions });
}

/** As after reconciling: the twins of the repository at its head. */
async function propose(user: string, project: ForgeProject, twins: string[]): Promise<string | undefined> {
  const revision = await mirrors.fetch(project, forge.gitAccess(project));
  const desired = {
    ...{
      version: 1,
      user,
      generation: 1,
      writtenAt: "",
      project: { id: project.id, path: project.path },
      revision,
    },
    ...{ twins: twins.map((name) => desiredTwin(name)), refused: [] },
  } as DesiredState;
  const proposed = { folder: join(folder, "proposed"), forge, mirrors, token, library: "dtaas/common" };
  return await proposePipeline({ ...proposed, onSetAside: () => undefined }, project, desired);
}

const keptFiles = (twins: string[]) => {
  const tree = repositoryTree([]);
  const { files } = keepPipeline({ tree, text: "lint: { script: make }\n", twins, library: "dtaas/common" });
  return Object.fromEntries(files.map(({ path, content }) => [path, content]));
};

test("nothing is proposed where nobody has asked for it", async () => {
  const project = await userWith("ada", { ".gitlab-ci.yml": "lint: { script: make }\n" });
  expect(await propose("ada", project, ["tank"])).toBeUndefined();
  expect(await forge.mergeRequests.listOpen({ project: project.path })).toEqual([]);
});

test("a twin that comes or goes is proposed, once, in one merge request, and jobs of others stay", async () => {
  const project = await userWith("bob", keptFiles(["tank"]));
  expect(await propose("bob", project, ["tank"])).toBeUndefined();
  const address = await propose("bob", project, ["pump", "tank"]);
  const [first, ...others] = await forge.mergeRequests.listOpen({ project: project.path });
  expect(others).toEqual([]);
  expect(first).toMatchObject({
    title: "pipelines of twins: add pump",
    sourceBranch: "dtaas/pipeline",
    webUrl: address,
  });
  expect(await propose("bob", project, ["pump", "tank"])).toBeUndefined(); // said already
  await propose("bob", project, ["fan", "pump"]);
  const open = await forge.mergeRequests.listOpen({ project: project.path });
  expect(open.map(({ iid }) => iid)).toEqual([first?.iid]);
  const proposed = await textOf(project, "dtaas/pipeline");
  expect(proposed.startsWith("lint: { script: make }\n")).toBe(true);
  expect(proposed).toContain("trigger_fan:");
  expect(proposed).not.toContain("trigger_tank:");
});

test("a file that its author has to mend is refused with its place", async () => {
  const project = await userWith("eve", { ...keptFiles(["tank"]), ".gitlab-ci.yml": "a: [\n" });
  await expect(propose("eve", project, ["tank"])).rejects.toMatchObject({ code: "PIPELINE_BROKEN" });
});

async function textOf(project: ForgeProject, ref: string): Promise<string> {
  const file = `projects/${project.id}/repository/files/.gitlab-ci.yml/raw?ref=${encodeURIComponent(ref)}`;
  const answer = await fetch(`${running.url}/api/v4/${file}`, { headers: { "private-token": token } });
  return await answer.text();
}
