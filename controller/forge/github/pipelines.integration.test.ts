import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GitHubStandIn } from "#test/fixtures/github/github-stand-in";
import type { ForgeProject } from "../forge.ts";
import { GitHubForge } from "./github-forge.ts";

// Not the contract of GitLab's pipelines: GitHub has no child pipelines, no logs before a job has ended, no jobs to be played.
let github: GitHubStandIn;
let folder: string;
let forge: GitHubForge;
let project: ForgeProject;
let other: ForgeProject;
let token: string;
const workflow = ".github/workflows/dtaas.yml";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "github-pipelines-"));
  github = await GitHubStandIn.start(folder);
  const { state } = github;
  state.addOrg("acme", "none").members.set("dtaas-bot", "admin");
  for (const path of ["acme/user1", "acme/user2"]) state.addRepo(path);
  state.repo("acme/user1").collaborators.set("developer", "push");
  token = state.addToken("developer");
  github.push("acme/user1", { [workflow]: "on: workflow_dispatch\n" });
  github.push("acme/user2", { a: "1" });
  forge = new GitHubForge({ url: github.url, token: state.addToken("dtaas-bot") });
  project = (await forge.project("acme/user1")) as ForgeProject;
  other = (await forge.project("acme/user2")) as ForgeProject;
});
afterAll(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

const start = async () => {
  const made = await forge.pipelines.run(project, {
    token,
    ref: "main",
    variables: { DTName: "tank" },
    inputs: { n: 2 },
  });
  const [run] = github.actions.runsOf(github.state.repo("acme/user1"));
  const job = run?.jobs[0];
  if (!run || !job) throw new Error("nothing was started");
  return { made, run, job };
};

test("a run is started with its inputs, listed newest first and shown with its jobs", async () => {
  const first = await start();
  const { made, run, job } = await start();
  expect(run.inputs).toEqual({ DTName: "tank", n: "2" });
  expect(made).toMatchObject({
    id: run.id,
    projectId: project.id,
    ref: "main",
    commit: run.sha,
    state: "waiting",
  });
  const listed = await forge.pipelines.list(project, { token, limit: 2 });
  expect(listed.map(({ id }) => id)).toEqual([made.id, first.made.id]);
  expect(await forge.pipelines.list(project, { limit: 2, ref: "nowhere" })).toEqual([]);
  job.status = "in_progress";
  const shown = await forge.pipelines.show(project, made.id, token);
  expect(shown).toMatchObject({ startedBy: "developer", finishedAt: undefined });
  expect(shown?.jobs).toMatchObject([{ id: job.id, pipeline: made.id, name: "execute", state: "running" }]);
});

test("what cannot be started is refused in GitHub's words, or says what is missing", async () => {
  const wish = { token, ref: "nowhere", variables: {} };
  await expect(forge.pipelines.run(project, wish)).rejects.toMatchObject({
    ...{ code: "PIPELINE_REFUSED", message: expect.stringContaining("No ref found for: nowhere") },
  });
  github.state.repo("acme/user2").collaborators.set("developer", "push");
  await expect(forge.pipelines.run(other, { ...wish, ref: "main" })).rejects.toMatchObject({
    ...{ code: "PIPELINE_REFUSED", message: expect.stringContaining("dtaas.yml") },
  });
  github.state.repo("acme/user2").collaborators.clear();
});

test("a log is read when its job has ended, in parts, from a store that never sees the token", async () => {
  const { job } = await start();
  const read = async (offset: number) =>
    (await forge.pipelines.trace(project, job.id, { offset, token }))?.toString("utf8");
  expect(await read(0)).toBe("");
  Object.assign(job, { status: "completed", conclusion: "success", log: "grün\ntwo ✓\n" });
  expect(await read(0)).toBe("grün\ntwo ✓\n");
  expect(await read(Buffer.byteLength("grün\n"))).toBe("two ✓\n");
  expect(await read(1_000)).toBe("");
});

test("a run is cancelled once and again, and retried; a job that has ended is retried, and none is played", async () => {
  const { made, job, run } = await start();
  const wish = { token, pipeline: made.id };
  const change = { token, job: job.id };
  await expect(forge.pipelines.changeJob(project, { ...change, change: "play" })).rejects.toMatchObject({
    code: "JOB_NOT_CHANGEABLE",
  });
  await forge.pipelines.change(project, { ...wish, change: "cancel" });
  expect((await forge.pipelines.change(project, { ...wish, change: "cancel" }))?.state).toBe("cancelled");
  const again = await forge.pipelines.changeJob(project, { ...change, change: "retry" });
  expect(again).toMatchObject({ name: "execute", state: "waiting" });
  expect(again?.id).not.toBe(job.id);
  Object.assign(run, { status: "completed", conclusion: "failure" });
  expect((await forge.pipelines.change(project, { ...wish, change: "retry" }))?.state).toBe("waiting");
});

test("of another repository, and by who may not see it, nothing is seen", async () => {
  const { made, job } = await start();
  const stranger = github.state.addToken("stranger");
  expect(await forge.pipelines.show(project, made.id, stranger)).toBeUndefined();
  expect(await forge.pipelines.show(other, made.id)).toBeUndefined();
  expect(await forge.pipelines.job(other, job.id)).toBeUndefined();
  expect(await forge.pipelines.trace(other, job.id, { offset: 0 })).toBeUndefined();
  const cancel = { token, pipeline: made.id, change: "cancel" } as const;
  expect(await forge.pipelines.change(other, cancel)).toBeUndefined();
});

test("an environment gets deployments with its address, and is stopped and started again", async () => {
  const { environments } = forge;
  const name = "dtaas/tank";
  const commit = github.push("acme/user1", { b: "1" });
  const made = await environments.ensure(project, { name, url: "https://dtaas.test/tank" });
  expect((await environments.ensure(project, { name, url: "https://dtaas.test/moved" })).id).toBe(made.id);
  const wanted = { environment: name, commit, ref: "main", state: "running" as const };
  const { id } = await environments.deploy(project, wanted);
  await environments.setDeployment(project, id, "succeeded");
  await environments.setDeployment(project, id, "running"); // a step back is none, and no error
  const newest = () => github.actions.deploymentsOf(github.state.repo("acme/user1"))[0]?.statuses[0];
  expect(newest()).toEqual({ state: "success", environment_url: "https://dtaas.test/moved" });
  await environments.stop(project, name);
  await environments.stop(project, name);
  await environments.stop(project, "dtaas/never-was");
  expect(newest()?.state).toBe("inactive");
  await environments.deploy(project, wanted);
  expect(newest()?.state).toBe("in_progress");
});
