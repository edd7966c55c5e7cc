import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TryLaterError } from "#core/errors";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedState, Phase } from "#schemas/observed-state";
import { desiredTwin } from "../../test/fixtures/api-fixture.ts";
import { FakeGitLab } from "../../test/fixtures/fake-gitlab.ts";
import { GitLabForge } from "../forge/gitlab/gitlab-forge.ts";
import { reportEnvironments } from "./report-environments.ts";

const first = "1".repeat(40);
const second = "2".repeat(40);
const project = { id: 2, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
let folder: string;
let gitlab: FakeGitLab;
let forge: GitLabForge;
let aside: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "environments-"));
  gitlab = await new FakeGitLab().start({ 2: ["dtaas-bot"] });
  forge = new GitLabForge({ url: gitlab.url, token: "dtaas-bot" });
  aside = [];
});
afterEach(async () => {
  await gitlab.close();
  await rm(folder, { recursive: true, force: true });
});

/** What is told when the twin is seen like this. */
async function tell(
  phase: Phase,
  more: { revision?: string; state?: "running" | "stopped"; gone?: boolean } = {},
): Promise<void> {
  const { revision = first, state = "running", gone = false } = more;
  const desired = {
    ...{
      version: 1,
      user: "user1",
      generation: 1,
      writtenAt: "",
      project: { id: 2, path: "dtaas/user1" },
      revision,
    },
    ...{ twins: gone ? [] : [desiredTwin("tank", { state, revision })], refused: [] },
  } as DesiredState;
  const twins = [{ name: "tank", phase, since: "", revision, restarts: 0 }];
  const observed = {
    version: 1,
    user: "user1",
    generation: 1,
    observedAt: "",
    twins,
    needs: [],
  } as ObservedState;
  const onSetAside = ({ path }: { path: string }) => void aside.push(path);
  const deps = { folder, environments: forge.environments, publicUrl: "http://dtaas.test", onSetAside };
  await reportEnvironments(deps, project, desired, observed);
}

const seen = () => ({
  environments: gitlab.environments.map(({ name, state }) => `${name} ${state}`),
  deployments: gitlab.deployments.map(({ sha, status }) => `${sha.slice(0, 1)} ${status}`),
});

test("a twin that becomes live is an environment with its address and one deployment", async () => {
  for (const phase of ["pending", "building", "starting", "live", "live"] as const) await tell(phase);
  expect(seen()).toEqual({ environments: ["dtaas/tank available"], deployments: ["1 success"] });
  expect(gitlab.environments[0]?.external_url).toBe("http://dtaas.test/api/v1/twins/user1/tank");
});

test("each revision is a deployment; a restart of one is none", async () => {
  for (const phase of ["live", "restarting", "live"] as const) await tell(phase);
  for (const phase of ["starting", "failed"] as const) await tell(phase, { revision: second });
  expect(seen().deployments).toEqual(["1 success", "2 failed"]);
  await tell("live", { revision: second });
  expect(seen().deployments).toEqual(["1 success", "2 success"]);
});

test("one that was overtaken on its way is cancelled", async () => {
  await tell("building");
  await tell("live", { revision: second });
  expect(seen().deployments).toEqual(["1 canceled", "2 success"]);
});

test("a twin that is stopped, or gone from Git, is an environment that is stopped; started again it is available", async () => {
  await tell("live");
  await tell("ready", { state: "stopped" });
  expect(seen().environments).toEqual(["dtaas/tank stopped"]);
  await tell("live");
  expect(seen()).toEqual({ environments: ["dtaas/tank available"], deployments: ["1 success", "1 success"] });
  await tell("live", { gone: true });
  expect(seen().environments).toEqual(["dtaas/tank stopped"]);
});

test("a twin that never ran has no environment, and an engine that does not answer changes none", async () => {
  await tell("ready", { state: "stopped" });
  expect(seen()).toEqual({ environments: [], deployments: [] });
  await tell("live");
  await tell("unknown");
  expect(seen().environments).toEqual(["dtaas/tank available"]);
});

test("what is told already is not told again, after a restart neither", async () => {
  await tell("live");
  const asked = gitlab.asked.length;
  await tell("live");
  expect(gitlab.asked.length).toBe(asked);
  await writeFile(join(folder, "user1.json"), '{"tank":1}');
  await tell("live");
  expect(aside).toHaveLength(1);
  expect(seen().environments).toEqual(["dtaas/tank available"]);
});

test("a host that fails half way is told the rest later", async () => {
  const { environments } = forge;
  const deploy = environments.deploy;
  environments.deploy = async () => {
    throw new TryLaterError("down", { retryAfterMs: 1 });
  };
  await expect(tell("live")).rejects.toThrow(TryLaterError);
  environments.deploy = deploy;
  await tell("live");
  expect(seen()).toEqual({ environments: ["dtaas/tank available"], deployments: ["1 success"] });
});
