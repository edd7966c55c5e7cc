import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { AcceptedRun, Problem } from "#schemas/api";
import type { RunRequest } from "#schemas/desired-state";
import { checkRunRequest } from "#schemas/documents/check-documents";
import { OpenApiChecker } from "#schemas/openapi-checker";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  outcomeOf,
  startApi,
} from "../../test/fixtures/api-fixture.ts";
import { openApiDocument } from "./openapi.ts";

const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const at = "2026-01-01T00:00:00.000Z";
const runs = "/twins/user1/tank/runs";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  await api.desire("user1", [desiredTwin("tank", { state: "stopped" })]);
});
afterEach(async () => await api.close());

async function ask<T = AcceptedRun & Problem>(who: string, body: unknown, path = runs) {
  const response = await api.ask(who, "POST", path, body);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  expect(checker.problems({ method: "POST", path, status: response.status, type, body: text })).toEqual([]);
  return { status: response.status, body: JSON.parse(text) as T };
}

async function haveWorkspace(state: ObservedWorkspace["state"] = "ready"): Promise<void> {
  await api.ask("user1", "PUT", "/workspaces/user1/state", { state: "running" });
  const path = join(api.data.workspaceRequests, "user1.json");
  const { generation, session } = (await readJson(path)) as WorkspaceRequest;
  await writeJsonAtomic(join(api.data.workspaces, "user1", "observed.json"), {
    ...{ version: 1, user: "user1", generation, session, observedAt: at, state, since: at },
    ...{ stages: [], services: [] },
  } satisfies ObservedWorkspace);
}

const written = async (id: string): Promise<RunRequest> =>
  checkRunRequest(await readJson(join(api.data.requests, "user1", `${id}.json`)));

test("a run of the workspace's files is accepted while the workspace runs, for a twin that Git does not have, too", async () => {
  await haveWorkspace();
  const { status, body } = await ask("user1", { operation: "analyse", worktree: true });
  expect([status, body.operation]).toEqual([202, "analyse"]);
  expect(await written(body.id)).toMatchObject({ twin: "tank", worktree: true, requestedBy: "user1" });
  const fresh = await ask("user1", { operation: "execute", worktree: true }, "/twins/user1/brand-new/runs");
  expect(fresh.status).toBe(202);
  const seen = await api.ask("user1", "GET", `/twins/user1/brand-new/runs/${fresh.body.id}`);
  expect(await seen.json()).toMatchObject({ state: "waiting", worktree: true });
});

test("without a workspace that runs there is nothing to copy", async () => {
  expect((await ask("user1", { operation: "execute", worktree: true })).body).toMatchObject({
    code: "WORKSPACE_NOT_RUNNING",
    status: 409,
    hint: "start it: dtaas workspace start user1",
  });
  await haveWorkspace("starting");
  expect((await ask("user1", { operation: "execute", worktree: true })).status).toBe(409);
});

test("the files of a workspace are for its user alone: a developer of the same project is refused", async () => {
  await haveWorkspace();
  for (const who of ["developer", "maintainer"]) {
    const { status, body } = await ask(who, { operation: "execute", worktree: true });
    expect([status, body.code]).toEqual([403, "NOT_ALLOWED"]);
    expect((await ask(who, { operation: "execute" })).status).toBe(202);
  }
});

test("secrets are for whoever may set them", async () => {
  await haveWorkspace();
  const { body } = await ask("user1", { operation: "execute", worktree: true });
  const { mayUseSecrets } = await written(body.id);
  const { status } = await api.ask("user1", "GET", "/users/user1/secrets");
  expect(mayUseSecrets ?? false).toBe(status === 200);
  const administrators = await ask("admin", { operation: "execute", worktree: true });
  expect(await written(administrators.body.id)).toMatchObject({ mayUseSecrets: true });
});

test("what a copy cannot do, or nobody can read, is refused at the door", async () => {
  await haveWorkspace();
  for (const operation of ["terminate", "clean", "UPPER", "constructor"]) {
    expect((await ask("user1", { operation, worktree: true })).body.code).toBe("WORKTREE_OPERATION");
  }
  for (const worktree of ["yes", 1, null, {}]) {
    expect((await ask("user1", { operation: "execute", worktree })).body.code).toBe("BAD_REQUEST");
  }
  for (const parameters of ["x", [], { level: null }]) {
    const { body } = await ask("user1", { operation: "execute", worktree: true, parameters });
    expect(body.code).toBe("PARAMETER_REFUSED");
  }
  expect(await readdir(join(api.data.requests, "user1")).catch(() => [])).toEqual([]);
  await api.desire("user1", [desiredTwin("tank", { suspend: true })], { generation: 2 });
  expect((await ask("user1", { operation: "execute", worktree: true })).body.code).toBe("TWIN_SUSPENDED");
});

test("a run of a copy is not done again, and the reason is told", async () => {
  const id = "r0000000000000000a";
  const copy = { base: "1".repeat(40), digest: "2".repeat(64), files: 3, bytes: 4 };
  const folder = join(api.data.runs, "user1", "tank", id);
  await writeJsonAtomic(
    join(folder, "manifest.json"),
    manifestOf({ id, user: "user1", twin: "tank" }, { worktree: true, copy }),
  );
  await writeJsonAtomic(join(folder, "outcome.json"), outcomeOf());
  const { status, body } = await ask("user1", undefined, `${runs}/${id}/rerun`);
  expect([status, body.code]).toEqual([409, "RUN_NOT_REPEATABLE"]);
  expect(body.detail).toContain("a copy of files that were not committed, which is not kept");
});
