import { Gitlab } from "@gitbeaker/rest";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { FakeCiRunner, type FakeRun } from "../testing/fake-ci-runner.ts";
import { type ForgeWorld, forgeWorld, hookReceiver } from "../testing/forge-world.ts";

let world: ForgeWorld;
let runner: FakeCiRunner;
let how: (name: string) => FakeRun = () => ({});
const project = "dtaas/ada";

const as = (token: string) => new Gitlab({ host: world.forge.url, token, rateLimits: { "**": 100_000 } });
let ada: ReturnType<typeof as>;

beforeAll(async () => {
  runner = await FakeCiRunner.start(({ name }) => how(name));
  world = await forgeWorld({ exchange: runner.exchange });
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
      { username: "bob", name: "Bob" },
      { username: "eve", name: "Eve" },
    ],
    projects: [{ path: project }, { path: "dtaas/other" }],
    members: [
      { path: project, username: "ada", accessLevel: 40 },
      { path: project, username: "bob", accessLevel: 20 },
      { path: "dtaas/other", username: "eve", accessLevel: 40 },
    ],
    tokens: ["ada", "bob", "eve"].map((username) => ({
      username,
      name: "t",
      scopes: ["api" as const],
      value: `glpat-${username}`,
    })),
  });
  ada = as("glpat-ada");
}, 60_000);

afterAll(async () => {
  await world.end();
  await runner.close();
});

beforeEach(() => {
  how = () => ({});
});

let commits = 0;
/** Commits files; with `[skip ci]` unless a push pipeline is wanted. */
async function commit(files: Record<string, string>, options: { push?: boolean; branch?: string } = {}) {
  commits += 1;
  const branch = options.branch ?? "main";
  const isNew = branch !== "main" && !(await exists(branch));
  const actions = await Promise.all(
    Object.entries(files).map(async ([filePath, content]) => ({
      action: (await fileExists(filePath, isNew ? "main" : branch))
        ? ("update" as const)
        : ("create" as const),
      filePath,
      content,
    })),
  );
  const message = `commit ${commits}${options.push ? "" : " [skip ci]"}`;
  return await ada.Commits.create(project, branch, message, actions, isNew ? { startBranch: "main" } : {});
}

async function exists(branch: string) {
  return await ada.Branches.show(project, branch).then(
    () => true,
    () => false,
  );
}

async function fileExists(path: string, ref: string) {
  return await ada.RepositoryFiles.show(project, path, ref).then(
    () => true,
    () => false,
  );
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>, ms = 20_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found as T;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const reached = (id: number, ...statuses: string[]) =>
  until(`pipeline ${id} is ${statuses}`, async () => {
    const pipeline = await ada.Pipelines.show(project, id);
    return statuses.includes(pipeline.status) && pipeline;
  });

async function jobsOf(id: number, options: object = {}) {
  const jobs = await ada.Jobs.all(project, { pipelineId: id, ...options });
  return Object.fromEntries(jobs.map((job) => [job.name, job]));
}

const statusesOf = async (id: number) =>
  Object.fromEntries(Object.entries(await jobsOf(id)).map(([name, { status }]) => [name, status]));

const base = (error: unknown) => JSON.stringify((error as Error).message);

test("without a CI file a pipeline cannot be made, and a push makes none", async () => {
  await commit({ "README.md": "hello" }, { push: true });
  await expect(ada.Pipelines.create(project, "main")).rejects.toThrow(/Missing CI config file/);
  expect(await ada.Pipelines.all(project)).toEqual([]);
});

test("a push runs stage after stage, with variables, artifacts and dotenv handed on", async () => {
  await ada.ProjectVariables.create(project, "STORED", "from-project", { masked: true });
  await ada.ProjectVariables.create(project, "PROTECTED", "only-there", { protected: true });
  how = (name) => (name === "make" ? { dotenv: { MADE: "by make" }, files: { "out/a.csv": "1,2\n" } } : {});
  await commit(
    {
      ".gitlab-ci.yml": `
stages: [make, use]
variables: { GREETING: "hi $WHO", WHO: you, STORED: from-file }
make:
  stage: make
  image: python:3.12
  before_script: [echo before]
  script: [echo "$GREETING"]
  after_script: [echo after]
  variables: { WHO: me }
  artifacts: { paths: [out/], reports: { dotenv: made.env } }
use:
  stage: use
  script: [cat out/a.csv]
`,
    },
    { push: true },
  );
  const made = await until("the push has a pipeline", async () => (await ada.Pipelines.all(project))[0]);
  expect(made).toMatchObject({ source: "push", ref: "main", iid: 1 });
  const done = await reached(made.id, "success", "failed");
  expect(done).toMatchObject({ status: "success", yaml_errors: null, tag: false });
  expect(await statusesOf(made.id)).toEqual({ make: "success", use: "success" });
  expect(runner.named("make")).toMatchObject({
    image: "python:3.12",
    script: ["echo before", 'echo "$GREETING"'],
    afterScript: ["echo after"],
    user: "ada",
    project,
    artifacts: { paths: ["out/"], dotenv: ["made.env"] },
    inputs: 0,
  });
  expect(runner.variable("make", "GREETING")).toBe("hi me");
  expect(runner.variable("make", "STORED")).toBe("from-project");
  expect(runner.variable("make", "PROTECTED")).toBe("only-there");
  expect(runner.variable("make", "CI_COMMIT_BRANCH")).toBe("main");
  expect(runner.variable("make", "CI_PIPELINE_SOURCE")).toBe("push");
  expect(
    runner
      .named("make")
      ?.variables.filter(({ masked }) => masked)
      .map(({ key }) => key),
  ).toEqual(["STORED", "CI_JOB_TOKEN"]);
  expect(runner.variable("use", "MADE")).toBe("by make");
  expect(runner.named("use")?.inputs).toBe(1);
  const { make } = await jobsOf(made.id);
  expect(make).toMatchObject({
    stage: "make",
    artifacts_file: { filename: "artifacts.zip" },
    allow_failure: false,
  });
  expect(await ada.Jobs.showLog(project, make?.id ?? 0)).toBe("ran make\n");
  const file = await ada.Users.requester.get(
    `projects/${encodeURIComponent(project)}/jobs/${make?.id}/artifacts/out/a.csv`,
  );
  expect(await (file.body as unknown as Blob).text()).toBe("1,2\n");
  const zip = (await ada.JobArtifacts.downloadArchive(project, { jobId: make?.id ?? 0 })) as Blob;
  expect(Buffer.from(await zip.arrayBuffer()).toString("latin1")).toMatch(/^PK.*out\/a\.csv/s);
  const head = await ada.Commits.show(project, "main");
  expect(head).toMatchObject({ status: "success", last_pipeline: { id: made.id } });
});

test("a job's log can be read from where somebody has read to", async () => {
  const { make } = await jobsOf((await ada.Pipelines.all(project)).at(-1)?.id ?? 0);
  const url = `${world.forge.url}/api/v4/projects/${encodeURIComponent(project)}/jobs/${make?.id}/trace`;
  const read = (range: string) => fetch(url, { headers: { "private-token": "glpat-ada", range } });
  const part = await read("bytes=4-");
  expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
    206,
    "bytes 4-8/9",
    "make\n",
  ]);
  expect((await read("bytes=9-")).status).toBe(416);
});

test("[skip ci], a push option and a file that cannot be read do as with GitLab", async () => {
  const before = (await ada.Pipelines.all(project)).length;
  const clone = await world.clone(project, "ada", "glpat-ada");
  await world.push(clone, "note.txt", "1", "-o", "ci.skip");
  await commit({ "README.md": "again" });
  expect((await ada.Pipelines.all(project)).length).toBe(before);
  await commit({ ".gitlab-ci.yml": "a: { script: [a], stage: nowhere }" }, { push: true, branch: "broken" });
  const failed = await until(
    "the push that cannot be read",
    async () => (await ada.Pipelines.all(project, { ref: "broken" }))[0],
  );
  expect(await ada.Pipelines.show(project, failed.id)).toMatchObject({
    status: "failed",
    yaml_errors: expect.stringMatching(/stage:nowhere not found/),
  });
  await expect(ada.Pipelines.create(project, "broken")).rejects.toThrow(/nowhere/);
  await expect(ada.Pipelines.create(project, "gone")).rejects.toThrow(/Reference not found/);
});

test("an API pipeline takes variables and inputs; rules can see them", async () => {
  await commit({
    ".gitlab-ci.yml": `spec:
  inputs:
    twin: { default: none }
---
always: { script: ['echo $[[ inputs.twin ]]'] }
wanted: { script: [echo], rules: [{ if: $DTName == "incubator" }] }
`,
  });
  const made = await ada.Pipelines.create(project, "main", {
    variables: [{ key: "DTName", value: "incubator" }],
    inputs: { twin: "tank" },
  } as object);
  expect(made).toMatchObject({ source: "api", status: expect.stringMatching(/pending|created/) });
  await reached(made.id, "success");
  expect(Object.keys(await statusesOf(made.id)).sort()).toEqual(["always", "wanted"]);
  expect(runner.named("always")?.script).toEqual(["echo tank"]);
  expect(await ada.Pipelines.allVariables(project, made.id)).toMatchObject([
    { key: "DTName", value: "incubator" },
  ]);
});

test("manual, delayed and failing jobs go their ways; a retry gives those after it another chance", async () => {
  let broken = true;
  how = (name) => ({ exitCode: name === "break" && broken ? 3 : 0 });
  await commit({
    ".gitlab-ci.yml": `
stages: [one, two, three]
break: { stage: one, script: [x] }
may: { stage: one, script: [x], when: manual }
later: { stage: two, script: [x], when: delayed, start_in: 1 second }
mend: { stage: two, script: [x], when: on_failure }
end: { stage: three, script: [x], when: always }
`,
  });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "failed");
  expect(await statusesOf(id)).toEqual({
    break: "failed",
    may: "manual",
    later: "skipped",
    mend: "success",
    end: "success",
  });
  const first = await jobsOf(id);
  expect(first["break"]).toMatchObject({ failure_reason: "script_failure" });
  broken = false;
  expect(await ada.Pipelines.retry(project, id)).toMatchObject({ id });
  await reached(id, "success");
  expect((await statusesOf(id))["later"]).toBe("success");
  expect((await jobsOf(id))["break"]?.id).not.toBe(first["break"]?.id);
  const all = await ada.Jobs.all(project, { pipelineId: id, includeRetried: true });
  expect(all.filter(({ name }) => name === "break")).toHaveLength(2);

  const { may } = await jobsOf(id);
  const played = await ada.Jobs.play(project, may?.id ?? 0, {
    jobVariablesAttributes: [{ key: "HAND", value: "yes" }],
  });
  expect(played).toMatchObject({ name: "may", status: "pending" });
  await until("the played job has run", async () => (await statusesOf(id))["may"] === "success");
  expect(runner.variable("may", "HAND")).toBe("yes");
  await expect(ada.Jobs.play(project, may?.id ?? 0)).rejects.toThrow(/Unplayable Job/);
});

test("a job that fails is tried again by itself as often as it says", async () => {
  let attempts = 0;
  how = () => {
    attempts += 1;
    return { exitCode: attempts < 3 ? 1 : 0 };
  };
  await commit({ ".gitlab-ci.yml": "a: { script: [x], retry: 2 }" });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  expect(attempts).toBe(3);
});

test("a cancelled pipeline ends what runs, starts nothing more, and is canceled", async () => {
  how = (name) => (name === "long" ? { until: new Promise(() => undefined) } : {});
  await commit({
    ".gitlab-ci.yml":
      "stages: [a, b]\nlong: { stage: a, script: [x] }\nnext: { stage: b, script: [x], when: always }\n",
  });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "running");
  const answer = await ada.Pipelines.cancel(project, id);
  expect(["canceling", "canceled"]).toContain(answer.status);
  await reached(id, "canceled");
  expect(await statusesOf(id)).toEqual({ long: "canceled", next: "canceled" });
  expect(await ada.Pipelines.cancel(project, id)).toMatchObject({ status: "canceled" });
});

test("one resource group has one job at a time, over pipelines", async () => {
  let release: () => void = () => undefined;
  how = () => ({ until: new Promise<void>((done) => (release = done)) });
  await commit({ ".gitlab-ci.yml": "a: { script: [x], resource_group: $DTName }" });
  const variables = [{ key: "DTName", value: "tank" }];
  const one = await ada.Pipelines.create(project, "main", { variables });
  await reached(one.id, "running");
  const two = await ada.Pipelines.create(project, "main", { variables });
  await reached(two.id, "waiting_for_resource");
  release();
  await reached(one.id, "success");
  await reached(two.id, "running");
  release();
  await reached(two.id, "success");
});

test("a parent starts children: the bridge tells which, and takes over how it ends", async () => {
  how = (name) => ({ exitCode: name === "execute_tank" ? 1 : 0 });
  const parent = (name: string) => `
trigger_${name}:
  stage: triggers
  trigger: { include: digital_twins/${name}/.gitlab-ci.yml, strategy: depend }
  variables: { RunnerTag: $RunnerTag }
  rules: [{ if: '$DTName == "${name}"' }]`;
  const child = (name: string) => `
stages: [create, execute]
create_${name}: { stage: create, script: [cd digital_twins/${name}, lifecycle/create], tags: [$RunnerTag] }
execute_${name}: { stage: execute, script: [lifecycle/execute], tags: [$RunnerTag] }`;
  await commit({
    ".gitlab-ci.yml": `stages: [triggers]\n${parent("incubator")}\n${parent("tank")}\n`,
    "digital_twins/incubator/.gitlab-ci.yml": child("incubator"),
    "digital_twins/tank/.gitlab-ci.yml": child("tank"),
  });
  const token = await ada.PipelineTriggerTokens.create(project, "web site");
  for (const [name, status] of [
    ["incubator", "success"],
    ["tank", "failed"],
  ] as const) {
    const made = await ada.PipelineTriggerTokens.trigger(project, "main", token.token, {
      variables: { DTName: name, RunnerTag: "linux" },
    });
    expect(made).toMatchObject({ source: "trigger" });
    await reached(made.id, status);
    const [bridge] = await ada.Jobs.allPipelineBridges(project, made.id);
    expect(bridge).toMatchObject({
      name: `trigger_${name}`,
      status,
      downstream_pipeline: { status, source: "parent_pipeline" },
    });
    const childId = Number(bridge?.downstream_pipeline.id);
    expect(childId).not.toBe(made.id + 1);
    expect(Object.keys(await jobsOf(childId)).sort()).toEqual([`create_${name}`, `execute_${name}`]);
    expect(await ada.Pipelines.allVariables(project, childId)).toMatchObject([
      { key: "RunnerTag", value: "linux" },
    ]);
  }
  expect(runner.variable("create_tank", "RunnerTag")).toBe("linux");
  const listed = await ada.Pipelines.all(project);
  expect(listed.some(({ source }) => source === "parent_pipeline")).toBe(false);
});

test("a child can be made of an artifact", async () => {
  how = (name) => (name === "generate" ? { files: { "child.yml": "made: { script: [echo $FROM] }" } } : {});
  await commit({
    ".gitlab-ci.yml": `
stages: [generate, run]
generate: { stage: generate, script: [x], artifacts: { paths: [child.yml] } }
run: { stage: run, variables: { FROM: parent }, trigger: { include: [{ artifact: child.yml, job: generate }], strategy: depend } }
`,
  });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  expect(runner.variable("made", "FROM")).toBe("parent");
});

test("a child that cannot be made fails its bridge, whose log says why", async () => {
  await commit({ ".gitlab-ci.yml": "run: { trigger: { include: nowhere.yml, strategy: depend } }" });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "failed");
  const [bridge] = await ada.Jobs.allPipelineBridges(project, id);
  expect(bridge).toMatchObject({ failure_reason: "downstream_pipeline_creation_failed" });
  expect(await ada.Jobs.showLog(project, bridge?.id ?? 0)).toMatch(/nowhere.yml/);
});

test("files of other projects are included as far as the user may read them", async () => {
  const eve = as("glpat-eve");
  await eve.Commits.create("dtaas/other", "main", "templates [skip ci]", [
    { action: "create", filePath: "shared.yml", content: "shared: { script: [echo shared] }" },
    {
      action: "create",
      filePath: "templates/twin.yml",
      content:
        "spec:\n  inputs:\n    name: {}\n---\n'run-$[[ inputs.name ]]': { script: ['echo $[[ inputs.name ]]'] }\n",
    },
  ]);
  await eve.Tags.create("dtaas/other", "1.2.0", "main");
  const host = new URL(world.forge.url).host;
  const content = `include:
  - { project: dtaas/other, file: /shared.yml }
  - { component: "$CI_SERVER_FQDN/dtaas/other/twin@1", inputs: { name: tank } }
`;
  expect(host).toContain(":");
  await expect(ada.Lint.lint(project, content)).resolves.toMatchObject({
    valid: false,
    errors: [expect.stringMatching(/not found or access denied/)],
  });
  await world.forge.admin.ensureMember("dtaas/other", "ada", 20);
  await commit({ ".gitlab-ci.yml": content });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  expect(Object.keys(await statusesOf(id)).sort()).toEqual(["run-tank", "shared"]);
  for (const include of ["{ remote: 'http://127.0.0.1:1/x.yml' }", "{ template: Bash.gitlab-ci.yml }"]) {
    expect(await ada.Lint.lint(project, `include: [${include}]\na: { script: [a] }`)).toMatchObject({
      valid: false,
    });
  }
});

test("a job's ID token says who it is, signed by the forge", async () => {
  await commit({
    ".gitlab-ci.yml":
      "a: { script: [x], id_tokens: { DTAAS_ID_TOKEN: { aud: http://dtaas } }, environment: twins/tank }",
  });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  const claims = decodeJwt(runner.variable("a", "DTAAS_ID_TOKEN") ?? "");
  expect(claims).toMatchObject({
    iss: world.forge.url,
    aud: "http://dtaas",
    sub: `project_path:${project}:ref_type:branch:ref:main`,
    job_project_path: project,
    user_login: "ada",
    user_access_level: "maintainer",
    pipeline_id: String(id),
    pipeline_source: "api",
    ref_path: "refs/heads/main",
    ref_protected: "true",
    environment: "twins/tank",
    runner_environment: "self-hosted",
  });
});

test("environments follow their jobs, and are stopped by theirs", async () => {
  how = (name) => (name === "start" ? { dotenv: { PORT: "8000" } } : {});
  await commit({
    ".gitlab-ci.yml": `
start:
  script: [x]
  environment: { name: twins/$DTName, url: "http://tank.example.org:$PORT", on_stop: stop }
  artifacts: { reports: { dotenv: x.env } }
stop: { script: [x], when: manual, environment: { name: twins/$DTName, action: stop } }
`,
  });
  const { id } = await ada.Pipelines.create(project, "main", {
    variables: [{ key: "DTName", value: "pump" }],
  });
  await reached(id, "success");
  const [pump] = await ada.Environments.all(project, { name: "twins/pump" });
  expect(pump).toMatchObject({ state: "available", external_url: "http://tank.example.org:8000" });
  const shown = await ada.Environments.show(project, pump?.id ?? 0);
  expect(shown).toMatchObject({ last_deployment: { status: "success", deployable: { name: "start" } } });
  await ada.Environments.stop(project, pump?.id ?? 0);
  await until("the environment has stopped", async () => {
    return (await ada.Environments.show(project, pump?.id ?? 0)).state === "stopped";
  });
  expect((await statusesOf(id))["stop"]).toBe("success");

  const told = await ada.Deployments.create(
    project,
    "twins/told",
    (await ada.Commits.show(project, "main")).id,
    "main",
    false,
    {
      status: "running",
    },
  );
  expect(await ada.Deployments.edit(project, told.id, "success")).toMatchObject({ status: "success" });
  expect(await ada.Environments.all(project, { search: "told" })).toHaveLength(1);
});

test("webhooks tell of pipelines, jobs and deployments", async () => {
  const receiver = await hookReceiver();
  const hook = await ada.ProjectHooks.add(project, receiver.url, {
    pushEvents: false,
    pipelineEvents: true,
    jobEvents: true,
    deploymentEvents: true,
  });
  await commit({ ".gitlab-ci.yml": "a: { script: [x], environment: live }" });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  const bodies = await until("all have come", async () => {
    const all = receiver.received.map(({ headers, body }) => ({
      event: headers["x-gitlab-event"],
      ...(JSON.parse(body) as Record<string, unknown>),
    }));
    const done = all.some(
      (each) => (each as { object_attributes?: { status?: string } }).object_attributes?.status === "success",
    );
    return done && all.some(({ event }) => event === "Deployment Hook") && all;
  });
  expect(bodies).toContainEqual(
    expect.objectContaining({
      event: "Pipeline Hook",
      object_kind: "pipeline",
      object_attributes: expect.objectContaining({
        id,
        status: "success",
        source: "api",
        detailed_status: "passed",
      }),
      builds: [
        expect.objectContaining({
          name: "a",
          environment: expect.objectContaining({ name: "live", action: "start" }),
        }),
      ],
    }),
  );
  expect(bodies).toContainEqual(
    expect.objectContaining({
      event: "Job Hook",
      object_kind: "build",
      build_name: "a",
      build_status: "success",
      pipeline_id: id,
    }),
  );
  expect(bodies).toContainEqual(
    expect.objectContaining({ event: "Deployment Hook", environment: "live", status: "success" }),
  );
  await ada.ProjectHooks.remove(project, hook.id);
  await receiver.close();
});

test("external statuses count beside the jobs of the newest pipeline", async () => {
  await commit({ ".gitlab-ci.yml": "a: { script: [x] }" });
  const { id, sha } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  const status = await ada.Commits.editStatus(project, sha, "failed", { name: "dtaas/tank" });
  expect(status).toMatchObject({ pipeline_id: id });
  expect(await reached(id, "failed")).toMatchObject({ id });
  const listed = await ada.Commits.allStatuses(project, sha, { pipelineId: id } as object);
  expect(listed.map(({ name, status: of }) => [name, of]).sort()).toEqual([
    ["a", "success"],
    ["dtaas/tank", "failed"],
  ]);
});

test("a merge request has pipelines of its own, with the jobs that ask for it", async () => {
  await commit({ ".gitlab-ci.yml": "always: { script: [x] }" });
  const yaml = `
always: { script: [x] }
review: { script: [x], rules: [{ if: $CI_PIPELINE_SOURCE == "merge_request_event", changes: [models/*] }] }
`;
  await commit({ ".gitlab-ci.yml": yaml, "models/a.txt": "1" }, { branch: "feature" });
  const { iid } = await ada.MergeRequests.create(project, "feature", "main", "A model");
  const made = await until(
    "the merge request has a pipeline",
    async () => (await ada.MergeRequests.allPipelines(project, iid))[0],
  );
  expect(made).toMatchObject({ source: "merge_request_event", ref: `refs/merge-requests/${iid}/head` });
  await reached(made.id, "success");
  expect(Object.keys(await statusesOf(made.id))).toEqual(["review"]);
  expect(runner.variable("review", "CI_MERGE_REQUEST_IID")).toBe(String(iid));
  expect(runner.variable("review", "CI_COMMIT_BRANCH")).toBeUndefined();
  expect(runner.variable("review", "PROTECTED")).toBeUndefined();
  expect(await ada.MergeRequests.show(project, iid)).toMatchObject({
    head_pipeline: { id: made.id, status: "success" },
  });
  const again = await ada.MergeRequests.createPipeline(project, iid);
  await reached(again.id, "success");
  expect(await ada.MergeRequests.allPipelines(project, iid)).toHaveLength(2);
  await commit({ ".gitlab-ci.yml": "a: { script: [x] }" });
});

test("who may do what is as with GitLab: nobody sees or ends what is another's", async () => {
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  const { a } = await jobsOf(id);
  const eve = as("glpat-eve");
  const bob = as("glpat-bob");
  await expect(eve.Pipelines.all(project)).rejects.toThrow(/404 Project Not Found/);
  await expect(eve.Jobs.showLog(project, a?.id ?? 0)).rejects.toThrow(/404/);
  await expect(eve.Pipelines.show("dtaas/other", id)).rejects.toThrow(/404/);
  await expect(eve.Jobs.cancel("dtaas/other", a?.id ?? 0)).rejects.toThrow(/404/);
  expect(await bob.Pipelines.show(project, id)).toMatchObject({ id });
  for (const refused of [
    () => bob.Pipelines.create(project, "main"),
    () => bob.Pipelines.cancel(project, id),
    () => bob.Jobs.retry(project, a?.id ?? 0),
    () => bob.Pipelines.allVariables(project, id),
    () => bob.PipelineTriggerTokens.all(project),
  ]) {
    await expect(refused()).rejects.toThrow(/403/);
  }
  const wrong = await fetch(
    `${world.forge.url}/api/v4/projects/${encodeURIComponent(project)}/trigger/pipeline`,
    {
      method: "POST",
      body: new URLSearchParams({ token: "glptt-guess", ref: "main" }),
    },
  );
  expect(wrong.status).toBe(404);
});

test("schedules are due by their pattern, can be played and changed", async () => {
  const made = await ada.PipelineSchedules.create(project, "nightly", "main", "0 3 * * *", {
    cronTimezone: "Europe/Copenhagen",
  });
  expect(made).toMatchObject({
    active: true,
    cron_timezone: "Europe/Copenhagen",
    next_run_at: expect.any(String),
  });
  await ada.PipelineScheduleVariables.create(project, made.id, "DTName", "tank");
  await ada.PipelineSchedules.run(project, made.id);
  const [played] = await ada.Pipelines.all(project, { source: "schedule" });
  await reached(played?.id ?? 0, "success");
  expect(runner.variable("a", "DTName")).toBe("tank");
  await expect(ada.PipelineSchedules.create(project, "bad", "main", "every day")).rejects.toThrow(/cron/);
  await ada.PipelineSchedules.remove(project, made.id);
  expect(await ada.PipelineSchedules.all(project)).toEqual([]);
});

test("an erased job has neither log nor artifacts; a deleted pipeline is gone", async () => {
  how = () => ({ files: { "x.txt": "x" } });
  await commit({ ".gitlab-ci.yml": "a: { script: [x], artifacts: { paths: [x.txt] } }" });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "success");
  const { a } = await jobsOf(id);
  await ada.Jobs.erase(project, a?.id ?? 0);
  expect(await ada.Jobs.showLog(project, a?.id ?? 0)).toBe("");
  expect((await jobsOf(id))["a"]).toMatchObject({ artifacts: [], erased_at: expect.any(String) });
  await world.forge.admin.ensureMember(project, "ada", 50);
  await ada.Pipelines.remove(project, id);
  await expect(ada.Pipelines.show(project, id)).rejects.toThrow(/404/);
});

test("limits are told: too many variables, a log beyond the job", async () => {
  const variables = Array.from({ length: 101 }, (_, at) => ({ key: `V${at}`, value: "x" }));
  await expect(ada.Pipelines.create(project, "main", { variables })).rejects.toThrow(/100 entries/);
  await expect(
    ada.Pipelines.create(project, "main", { variables: [{ key: "A B", value: "x" }] }).catch(
      (error: unknown) => {
        throw new Error(base(error));
      },
    ),
  ).rejects.toThrow(/invalid/);
});

test("after a restart pipelines go on where they were", async () => {
  let release: () => void = () => undefined;
  how = (name) => (name === "long" ? { until: new Promise<void>((done) => (release = done)) } : {});
  await commit({
    ".gitlab-ci.yml":
      "stages: [a, b]\nlong: { stage: a, script: [x] }\nnext: { stage: b, script: [x] }\nhand: { stage: b, script: [x], when: manual }\n",
  });
  const { id } = await ada.Pipelines.create(project, "main");
  await reached(id, "running");
  await world.restart();
  ada = as("glpat-ada");
  expect(await ada.Pipelines.show(project, id)).toMatchObject({ status: "running" });
  release();
  await reached(id, "success");
  expect(await statusesOf(id)).toEqual({ long: "success", next: "success", hand: "manual" });
});
