import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeGitLab } from "../../../test/fixtures/fake-gitlab.ts";
import type { ForgeProject } from "../forge.ts";
import { forgePipelinesContract } from "../forge-pipelines-contract.ts";
import { GitLabForge } from "./gitlab-forge.ts";

const project: ForgeProject = { id: 2, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
const other: ForgeProject = { id: 3, path: "dtaas/user2", defaultBranch: "main", webUrl: "" };
const gitlab = new FakeGitLab();
let forge: GitLabForge;

beforeAll(async () => {
  await gitlab.start({ 2: ["dtaas-bot", "user1"], 3: ["dtaas-bot", "user2"] });
  forge = new GitLabForge({ url: gitlab.url, token: "dtaas-bot" });
});
afterAll(async () => await gitlab.close());

forgePipelinesContract(() => ({
  forge,
  project,
  other,
  token: "user1",
  otherToken: "user2",
  ref: "main",
  commit: "1".repeat(40),
  print: async ({ id }, text) => {
    const job = gitlab.jobs.find((one) => one.id === id);
    if (job) job.trace += text;
  },
  end: async ({ id }, state) => {
    const job = gitlab.jobs.find((one) => one.id === id);
    if (job) job.status = state === "succeeded" ? "success" : "failed";
  },
  withChild: async () => {
    gitlab.jobNames = ["trigger_tank"];
    const parent = gitlab.make(2).id;
    gitlab.jobNames = ["execute"];
    gitlab.make(3); // somebody else's, whose id comes next
    const child = gitlab.make(2, { source: "parent_pipeline" }).id;
    gitlab.job(parent, "trigger_tank").downstream = child;
    return { parent, child };
  },
  environment: async (name) => {
    const found = gitlab.environments.find((one) => one.project === 2 && one.name === name);
    const deployments = gitlab.deployments.filter(({ environment }) => environment === name);
    return (
      found && {
        url: found.external_url,
        isStopped: found.state === "stopped",
        deployments: deployments.map(({ status }) => status),
      }
    );
  },
}));

test("inputs travel under the names they have", async () => {
  const inputs = { deployTarget: "eu", "log-level": "debug", deep: { someKey: 1 } };
  const made = await forge.pipelines.run(project, {
    token: "user1",
    ref: "main",
    variables: { a: "b" },
    inputs,
  });
  const seen = gitlab.pipelines.find(({ id }) => id === made.id);
  expect(seen?.inputs).toEqual(inputs);
  expect(seen?.variables).toEqual([{ key: "a", value: "b" }]);
  expect(seen?.user).toBe("user1");
});

test("a host that sends traces whole costs no memory for what was read before", async () => {
  gitlab.knowsRanges = false;
  const made = gitlab.make(2);
  const job = gitlab.job(made.id, "execute");
  job.trace = `${"x".repeat(5_000_000)}ünd nun`;
  const read = (offset: number) => forge.pipelines.trace(project, job.id, { offset, token: "user1" });
  expect((await read(5_000_000))?.toString("utf8")).toBe("ünd nun");
  expect((await read(0))?.length).toBe(1024 * 1024);
  expect((await read(9_000_000))?.length).toBe(0);
});

test("without a caller's token it is the platform's account that asks", async () => {
  const made = gitlab.make(3);
  expect((await forge.pipelines.show(other, made.id))?.id).toBe(made.id);
});
