import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "#schemas/api";
import type { PipelineTree, PipelineView } from "#schemas/pipelines";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const imageMs = 170_000; // the first job builds the image of the template
const users = ["user1", "user2"] as const;

const spec = (name: string) => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: ${name} }
spec:
  state: stopped
  lifecycle:
    create: { run: lifecycle/create, outputs: [data/${name}] }
    execute: { run: lifecycle/execute, grace: 5s }
`;
const create = (name: string) => `#!/bin/sh
echo "made ready"
mkdir -p /workspace/data/${name}
echo "t,level" > /workspace/data/${name}/levels.csv
exit 0
`;
// Runs until it is told to end.
const execute = `#!/bin/sh
echo "level 0"
trap 'echo "valve closed"; exit 0' TERM
while :; do sleep 0.2; done
`;

describe("operations of twins as jobs of pipelines", () => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await Platform.start({ users });
    for (const user of users) {
      const clone = await platform.clone(user);
      await writeTwin(clone, "tank");
      await clone.write(
        ".gitlab-ci.yml",
        "include:\n  - { project: dtaas/common, file: templates/twins.yml }\n",
      );
      await clone.push("a twin with pipelines");
      await until(
        `${user}/tank is ready`,
        async () =>
          (await platform.twin(user, "tank"))?.phase === "ready" || (await platform.twin(user, "tank")),
        imageMs,
      );
    }
  }, 240_000 + imageMs);
  afterAll(() => platform?.close());

  async function writeTwin(clone: Clone, name: string): Promise<void> {
    await clone.write(`digital_twins/${name}/dt.yaml`, spec(name));
    await clone.write(`digital_twins/${name}/lifecycle/create`, create(name), 0o755);
    await clone.write(`digital_twins/${name}/lifecycle/execute`, execute, 0o755);
  }
  const gitlab = (user: string) =>
    new Gitlab({ host: platform.forgeUrl, token: platform.token(user), rateLimits: { "**": 100_000 } });
  const start = async (user: string, operation: string) => {
    const wish = { twin: "tank", operation };
    const made = await platform.api(`/users/${user}/pipelines`, { method: "POST", body: wish, as: user });
    expect([made.status, made.body]).toEqual([201, expect.objectContaining({ user })]);
    return (made.body as PipelineView).id;
  };
  const show = async (user: string, id: number) =>
    (await platform.api(`/users/${user}/pipelines/${id}`, { as: user })).body as PipelineTree;
  const job = async (user: string, id: number, name: string) => {
    const found = (await show(user, id)).jobs.find((one) => one.name === name);
    if (!found) throw new Error(`no job ${name}`);
    return found;
  };
  /** The trace as the forge shows it. */
  const trace = async (user: string, id: number) =>
    String(await gitlab(user).Jobs.showLog(`dtaas/${user}`, id));
  const runs = async (user: string) =>
    ((await platform.api(`/twins/${user}/tank/runs`, { as: user })).body as { items: RunView[] }).items;
  const isState = (user: string, id: number, states: string[], timeoutMs?: number) =>
    until(
      `pipeline ${id} is ${states.join(" or ")}`,
      async () => {
        const tree = await show(user, id);
        return (
          states.includes(tree.state) ||
          JSON.stringify(tree.jobs.map(({ name, state, reason }) => [name, state, reason]))
        );
      },
      timeoutMs,
    );

  test(
    "a pipeline started by the command line and one started on the forge run the same operation, with its log in the job's",
    async () => {
      const followed = await platform.cli("pipeline", "run", "user1/tank", "-o", "create", "-f");
      expect(followed.stdout).toContain("made ready");
      expect(followed.code).toBe(0);
      const ours = Number(/user1\/(\d+) /.exec(followed.stderr)?.[1]);
      const created = await job("user1", ours, "create");
      expect(await trace("user1", created.id)).toMatch(
        /user1\/tank: create is run r[\s\S]*made ready[\s\S]*succeeded/,
      );

      const theirs = await gitlab("user1").Pipelines.create("dtaas/user1", "main", {
        variables: [
          { key: "DTName", value: "tank" },
          { key: "DTOperation", value: "create" },
        ],
      });
      await isState("user1", theirs.id, ["succeeded"]);
      const [last, before] = await runs("user1");
      expect([last, before]).toMatchObject([
        { operation: "create", requestedBy: "user1", outcome: "succeeded" },
        { operation: "create", requestedBy: "root", outcome: "succeeded" },
      ]);
      const { id } = await job("user1", theirs.id, "create");
      const file = "dtaas-outputs/data/tank/levels.csv";
      const kept = await fetch(
        `${platform.forgeUrl}/api/v4/projects/dtaas%2Fuser1/jobs/${id}/artifacts/${file}`,
        { headers: { "private-token": platform.token("user1") } },
      );
      expect([kept.status, await kept.text()]).toEqual([200, "t,level\n"]);
    },
    imageMs + 60_000,
  );

  test("cancelled on the forge, the run ends, too; cancelled here, the job does", async () => {
    const first = await start("user1", "execute");
    await until("the live log is in the job's", async () =>
      (await trace("user1", (await job("user1", first, "execute")).id)).includes("level 0"),
    );
    expect((await runs("user1"))[0]).toMatchObject({ operation: "execute", state: "running" });
    await gitlab("user1").Pipelines.cancel("dtaas/user1", first);
    await until(
      "its run has ended",
      async () => (await runs("user1"))[0]?.state === "ended" || (await runs("user1"))[0],
    );
    expect((await runs("user1"))[0]).toMatchObject({ outcome: "cancelled" });
    await isState("user1", first, ["cancelled"]);

    const second = await start("user1", "execute");
    await until("it runs", async () => (await runs("user1"))[0]?.state === "running");
    const [run] = await runs("user1");
    await platform.api(`/twins/user1/tank/runs/${run?.id}`, { method: "DELETE", as: "user1" });
    await isState("user1", second, ["failed"]);
    expect(await trace("user1", (await job("user1", second, "execute")).id)).toContain("valve closed");
  });

  test("a job that is killed without a word takes its run with it", async () => {
    const made = await start("user1", "execute");
    await until("it runs", async () => (await runs("user1"))[0]?.state === "running");
    const { id } = await job("user1", made, "execute");
    const { stdout } = await platform.docker("ps", "-q", "--filter", `name=job-${id}`);
    const [container = ""] = stdout.split("\n");
    expect(container).not.toBe("");
    await platform.docker("kill", "--signal", "KILL", container);
    await until(
      "its run is cancelled",
      async () => (await runs("user1"))[0]?.outcome === "cancelled" || (await runs("user1"))[0],
    );
  });

  test(
    "two users at once follow their own, and see nothing of each other's",
    async () => {
      const [first, second] = await Promise.all(users.map((user) => start(user, "create")));
      await Promise.all([
        isState("user1", first ?? 0, ["succeeded"], imageMs),
        isState("user2", second ?? 0, ["succeeded"], imageMs),
      ]);
      const foreign = await job("user2", second ?? 0, "create");
      for (const path of [
        `/users/user2/pipelines/${second}`,
        `/users/user1/pipelines/${second}`,
        `/users/user1/jobs/${foreign.id}/log`,
      ]) {
        expect([path, (await platform.api(path, { as: "user1", text: true })).status]).toEqual([path, 404]);
      }
      expect((await runs("user2"))[0]).toMatchObject({ requestedBy: "user2", outcome: "succeeded" });
    },
    imageMs + 30_000,
  );

  test("a live twin is an environment of the forge with its address, and is stopped with it", async () => {
    const clone = await platform.clone("user1");
    await clone.write("digital_twins/tank/dt.yaml", spec("tank").replace("stopped", "running"));
    await clone.push("start the tank");
    const environment = async () =>
      (await gitlab("user1").Environments.all("dtaas/user1")).find(({ name }) => name === "dtaas/tank");
    const deployments = async () =>
      await gitlab("user1").Deployments.all("dtaas/user1", { environment: "dtaas/tank" } as never);
    // Jobs deploy, too; what the platform does by itself bears the name of its account.
    await until("it is deployed", async () => {
      const all = await deployments();
      const isOurs = all.some(({ user, status }) => user?.username === "dtaas-bot" && status === "success");
      return isOurs || JSON.stringify(all.at(-1));
    });
    expect(await environment()).toMatchObject({
      state: "available",
      external_url: `${platform.apiUrl}/api/v1/twins/user1/tank`,
    });
    await clone.write("digital_twins/tank/dt.yaml", spec("tank"));
    await clone.push("stop the tank");
    await until(
      "the environment is stopped",
      async () => (await environment())?.state === "stopped" || (await environment()),
    );
  });

  test(
    "a parent pipeline that was generated triggers the twin's jobs, and is kept by a merge request",
    async () => {
      const clone = await platform.clone("user2");
      await clone.remove(".gitlab-ci.yml");
      const generated = await platform.cli("pipeline", "generate", clone.folder, "--write");
      expect(generated.stderr).toContain("added: tank");
      const kept = await clone.read(".gitlab-ci.yml");
      await clone.write(".gitlab-ci.yml", `# ours\n${kept}`);
      await clone.push("a job for each twin");
      const id = await start("user2", "create");
      await isState("user2", id, ["succeeded"], imageMs);
      const [trigger] = (await show("user2", id)).jobs;
      expect(trigger).toMatchObject({ name: "trigger_tank", downstream: { source: "parent_pipeline" } });
      expect(trigger?.downstream?.jobs).toContainEqual(
        expect.objectContaining({ name: "create", state: "succeeded" }),
      );
      await writeTwin(clone, "pump");
      await clone.push("another twin");
      const proposals = async () =>
        await gitlab("user2").MergeRequests.all({ projectId: "dtaas/user2", state: "opened" });
      await until("it is proposed", async () => (await proposals()).length === 1);
      const [proposal] = await proposals();
      expect(proposal).toMatchObject({
        title: "pipelines of twins: add pump",
        source_branch: "dtaas/pipeline",
      });
      const text = await gitlab("user2").RepositoryFiles.showRaw(
        "dtaas/user2",
        ".gitlab-ci.yml",
        "dtaas/pipeline",
      );
      expect(String(text).startsWith("# ours\nstages:")).toBe(true);
      expect(String(text)).toContain("trigger_pump:");
    },
    imageMs + 60_000,
  );
});
