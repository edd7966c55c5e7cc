import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const project = "dtaas/user1";
const imageMs = 170_000; // the first job builds the image of the template

// As existing repositories have it: one trigger job for each twin, children that run the scripts of its lifecycle.
const parent = (names: readonly string[]) => `stages:
  - triggers
${names
  .map(
    (name) => `
trigger_${name}:
  stage: triggers
  trigger:
    include: digital_twins/${name}/.gitlab-ci.yml
  rules:
    - if: '$DTName == "${name}"'
      when: always
  variables:
    RunnerTag: $RunnerTag
`,
  )
  .join("")}`;

const child = (name: string) => `stages:
  - create
  - execute
  - clean

create_${name}:
  stage: create
  script:
    - cd digital_twins/${name}
    - chmod +x lifecycle/create
    - lifecycle/create
  tags:
    - $RunnerTag

execute_${name}:
  stage: execute
  script:
    - cd digital_twins/${name}
    - chmod +x lifecycle/execute
    - lifecycle/execute
  tags:
    - $RunnerTag

clean_${name}:
  stage: clean
  script:
    - cd digital_twins/${name}
    - lifecycle/clean
  tags:
    - $RunnerTag
`;

describe("pipelines of a repository as it is", () => {
  let platform: Platform;
  let clone: Clone;
  let gitlab: InstanceType<typeof Gitlab>;

  const as = (user: string) =>
    new Gitlab({ host: platform.forgeUrl, token: platform.token(user), rateLimits: { "**": 100_000 } });
  const ended = async (id: number, timeoutMs = 60_000) =>
    await until(
      `pipeline ${id} has ended`,
      async () => {
        const { status } = await gitlab.Pipelines.show(project, id);
        return ["success", "failed", "canceled"].includes(status) || status;
      },
      timeoutMs,
    );
  const jobs = async (id: number) =>
    Object.fromEntries((await gitlab.Jobs.all(project, { pipelineId: id })).map((job) => [job.name, job]));
  const trace = async (id: number, name: string) =>
    String(await gitlab.Jobs.showLog(project, (await jobs(id))[name]?.id ?? 0));
  const push = async (yaml: string) => {
    await clone.write(".gitlab-ci.yml", yaml);
    await clone.push("ci: another pipeline [skip ci]");
    return (await gitlab.Pipelines.create(project, "main")).id;
  };
  const containers = async (name: string) =>
    (await platform.containers()).filter((one) => one.name.includes(name));

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    gitlab = as("user1");
    clone = await platform.clone("user1");
  });
  afterAll(() => platform?.close());

  test(
    "a trigger starts the twin's child pipeline, which runs its scripts unchanged",
    async () => {
      await clone.write(".gitlab-ci.yml", parent(["tank", "tank-2"]));
      for (const name of ["tank", "tank-2"]) {
        await clone.write(`digital_twins/${name}/.gitlab-ci.yml`, child(name));
        await clone.write(`digital_twins/${name}/description.md`, "A tank.");
        await clone.write(
          `digital_twins/${name}/lifecycle/create`,
          "#!/bin/bash\necho created > made.txt\necho made ready\n",
        );
        const execute = `#!/bin/bash\nset -e\npython3 -c 'print("level of ${name}:", sum(range(5)))'\necho "as $(id -u) on $RunnerTag"\n`;
        await clone.write(`digital_twins/${name}/lifecycle/execute`, execute);
        await clone.write(`digital_twins/${name}/lifecycle/clean`, "#!/bin/bash\nrm -f made.txt\n", 0o755);
      }
      await clone.push("twins with pipelines [skip ci]");
      const token = await gitlab.PipelineTriggerTokens.create(project, "web site");
      const made = await gitlab.PipelineTriggerTokens.trigger(project, "main", token.token, {
        variables: { DTName: "tank", RunnerTag: "linux" },
      });
      await ended(made.id);
      const bridges = await gitlab.Jobs.allPipelineBridges(project, made.id);
      expect(bridges.map(({ name }) => name)).toEqual(["trigger_tank"]);
      const childId = Number((bridges[0]?.downstream_pipeline as { id?: number } | undefined)?.id);
      await ended(childId, imageMs);
      expect(
        Object.entries(await jobs(childId))
          .map(([name, { status }]) => [name, status])
          .sort(),
      ).toEqual([
        ["clean_tank", "success"],
        ["create_tank", "success"],
        ["execute_tank", "success"],
      ]);
      const log = await trace(childId, "execute_tank");
      expect(log).toContain("$ lifecycle/execute");
      expect(log).toMatch(/level of tank: 10\nas 1000 on linux\n/);
      expect(await trace(childId, "create_tank")).toContain("made ready");
      expect(await containers("job-")).toEqual([]);
    },
    imageMs + 60_000,
  );

  test("a job is locked up, reaches the platform's API by its door, and nothing else of it", async () => {
    const id = await push(`
look:
  variables: { GIT_DEPTH: 1 }
  script:
    - id -u
    - 'grep CapEff /proc/self/status'
    - 'grep NoNewPrivs /proc/self/status'
    - touch /etc/x && echo root is writable || echo root is read-only
    - test -e /var/run/docker.sock && echo socket || echo no socket
    - |
      python3 - <<'EOF'
      import json, os, urllib.request, urllib.error
      def ask(path, token=None):
          request = urllib.request.Request(os.environ["DTAAS_URL"] + path)
          if token: request.add_header("Authorization", "Bearer " + token)
          try:
              return urllib.request.urlopen(request, timeout=10).status
          except urllib.error.HTTPError as error:
              return error.code
      print("api", ask("/api/v1/twins"), "metrics", ask("/metrics"), "webhook", ask("/webhooks/gitlab"))
      EOF
    - 'env | grep -c FORGE_ROOT || true'
`);
    await ended(id);
    const log = await trace(id, "look");
    expect(log).toMatch(/^1000$/m);
    expect(log).toMatch(/CapEff:\s+0000000000000000/);
    expect(log).toMatch(/NoNewPrivs:\s+1/);
    expect(log).toContain("root is read-only");
    expect(log).toContain("no socket");
    expect(log).toMatch(/api 401 metrics 404 webhook 404/);
  });

  test(
    "masked variables do not show, files of variables are files, artifacts and dotenv go on",
    async () => {
      await gitlab.ProjectVariables.create(project, "PLANT_TOKEN", "s3cret-value-of-plant", { masked: true });
      await gitlab.ProjectVariables.create(project, "SETTINGS", "a: 1\n", { variableType: "file" });
      const id = await push(`
stages: [make, use]
make:
  stage: make
  script:
    - echo "it is $PLANT_TOKEN"
    - cat "$SETTINGS"
    - mkdir -p out/deep && echo 1,2 > out/deep/a.csv && echo x > out/b.txt
    - ln -s /etc/passwd out/link.csv
    - echo "PORT=8000" > made.env
  artifacts: { paths: ["out/**/*.csv"], reports: { dotenv: made.env } }
use:
  stage: use
  image: debian:bookworm
  script: ['cat out/deep/a.csv', 'ls out', 'echo "port $PORT"']
`);
      await ended(id, imageMs);
      expect(await trace(id, "make")).toContain("it is [MASKED]\n");
      expect(await trace(id, "make")).not.toContain("s3cret-value");
      expect(await trace(id, "make")).toContain("a: 1");
      const used = await trace(id, "use");
      expect(used).toMatch(/1,2\n.*ls out.*\ndeep\n.*\nport 8000/s);
      expect((await gitlab.Pipelines.show(project, id)).status).toBe("success");
    },
    imageMs + 60_000,
  );

  test("a job can be cancelled while it runs: its after_script runs still, and its container is gone", async () => {
    const id = await push(
      "long: { script: [echo begun, sleep 600], after_script: ['echo $CI_JOB_STATUS it was'] }",
    );
    await until("the log is live", async () => (await trace(id, "long")).includes("begun\n") || "not yet");
    expect(await containers("job-")).toHaveLength(1);
    const { long } = await jobs(id);
    await gitlab.Jobs.cancel(project, long?.id ?? 0);
    await ended(id);
    expect((await jobs(id))["long"]?.status).toBe("canceled");
    expect(await trace(id, "long")).toContain("canceled it was\n");
    await until(
      "the container is gone",
      async () => (await containers("job-")).length === 0 || "still there",
    );
  });

  test("a failing script, one that takes too long and an image that may not be run say why", async () => {
    const id = await push(`
fails: { script: [exit 7] }
slow: { script: [sleep 600], timeout: 2 seconds }
unknown: { image: "fedora:41", script: [echo] }
`);
    await ended(id);
    const all = await jobs(id);
    expect(all["fails"]).toMatchObject({ status: "failed", failure_reason: "script_failure" });
    expect(all["slow"]).toMatchObject({ status: "failed", failure_reason: "job_execution_timeout" });
    expect(all["unknown"]).toMatchObject({ status: "failed", failure_reason: "image_pull_failure" });
    expect(await trace(id, "fails")).toContain("exit code 7");
    expect(await trace(id, "unknown")).toMatch(/fedora:41 may not be run here/);
  });

  test("two people at once share no network and never see each other's", async () => {
    const two = as("user2");
    const other = await platform.clone("user2");
    await other.write(".gitlab-ci.yml", "mine: { script: [sleep 30] }");
    await other.push("a pipeline of my own [skip ci]");
    const id = await push("mine: { script: [sleep 30] }");
    const theirs = await two.Pipelines.create("dtaas/user2", "main");
    await until(
      "both run",
      async () =>
        (await containers("job-")).filter(({ state }) => state === "running").length === 2 || "not yet",
    );
    const networks = await Promise.all(
      (await containers("job-")).map(async (one) => {
        const { stdout } = await run("docker", [
          "inspect",
          "--format",
          "{{json .NetworkSettings.Networks}}",
          one.id,
        ]);
        return Object.keys(JSON.parse(stdout) as object)[0];
      }),
    );
    expect(new Set(networks).size).toBe(2);
    await expect(two.Pipelines.show(project, id)).rejects.toThrow(/404/);
    await expect(gitlab.Pipelines.cancel("dtaas/user2", theirs.id)).rejects.toThrow(/404/);
    await two.Pipelines.cancel("dtaas/user2", theirs.id);
    await gitlab.Pipelines.cancel(project, id);
    await ended(id);
  });

  test("a job survives the runner's death and the forge tells its end", async () => {
    const id = await push("long: { script: [echo begun, sleep 12, echo over] }");
    await until("it runs", async () => (await trace(id, "long")).includes("begun\n") || "not yet");
    await platform.runner?.kill();
    await platform.startRunner();
    await ended(id);
    expect((await jobs(id))["long"]?.status).toBe("success");
    expect(await trace(id, "long")).toContain("over\n");
  });

  test("nothing of a job is left on disk or in the engine", async () => {
    const { dataFolder } = platform.settings;
    await until("the folders are empty", async () => {
      const { stdout } = await run("find", [
        join(dataFolder, "ci-jobs"),
        join(dataFolder, "ci-runs"),
        "-mindepth",
        "1",
      ]);
      return stdout === "" || stdout;
    });
    const layers = await run("find", [join(dataFolder, "layers"), "-maxdepth", "1", "-name", "job-*"]);
    expect(layers.stdout).toBe("");
  });
});
