import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { Items, Problem } from "#schemas/api";
import { OpenApiChecker } from "#schemas/openapi-checker";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import type { OpenedWorkspace, WorkspaceView } from "#schemas/workspace-view";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";
import { openApiDocument } from "./openapi.ts";

const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const at = "2026-01-01T00:00:00.000Z";
const base = "/workspaces/user1";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => await api.close());

/** Asks, holds the answer against the OpenAPI document, and gives its status and body. */
async function ask<T = WorkspaceView>(method: string, path: string, body?: unknown, who = "user1") {
  const response = await api.ask(who, method, path, body);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const [plain = ""] = path.split("?");
  expect(checker.problems({ method, path: plain, status: response.status, type, body: text })).toEqual([]);
  return { status: response.status, body: (type.includes("json") ? JSON.parse(text) : text) as T };
}

const requestOnDisk = async () =>
  (await readJson(join(api.data.workspaceRequests, "user1.json"))) as WorkspaceRequest;
const start = () => ask("PUT", `${base}/state`, { state: "running" });
const stop = () => ask("PUT", `${base}/state`, { state: "stopped" });

async function observe(more: Partial<ObservedWorkspace>): Promise<void> {
  const { generation, session } = await requestOnDisk();
  await writeJsonAtomic(join(api.data.workspaces, "user1", "observed.json"), {
    ...{ version: 1, user: "user1", generation, session, observedAt: at, state: "ready", since: at },
    ...{ stages: [], services: [] },
    ...more,
  } satisfies ObservedWorkspace);
}

test("a wish is on disk, for the platform's account only, before it is acknowledged", async () => {
  const { status, body } = await start();
  expect([status, body.state, body.desired, body.applied, body.session]).toEqual([
    202,
    "queued",
    "running",
    false,
    1,
  ]);
  expect(await requestOnDisk()).toMatchObject({
    ...{ user: "user1", generation: 1, session: 1, state: "running", requestedBy: "user1" },
    repository: { project: "dtaas/user1", branch: "main" },
    owner: { id: 6, name: "user1", email: "6-user1@users.noreply.forge.test" },
  });
  expect((await stat(join(api.data.workspaceRequests, "user1.json"))).mode & 0o077).toBe(0);
  expect(api.nudged).toEqual(["user1"]);
});

test("no answer but that of `open` has a token in it", async () => {
  await start();
  await observe({ port: 4711 });
  const { gitToken, accessToken } = await requestOnDisk();
  for (const path of ["", "/services", "/log"]) {
    const text = JSON.stringify((await ask("GET", `${base}${path}`)).body);
    expect(text.includes(gitToken) || text.includes(accessToken)).toBe(false);
  }
  const { body } = await ask<OpenedWorkspace>("POST", `${base}/open`);
  expect(body).toEqual({ user: "user1", url: `http://127.0.0.1:4711/?token=${accessToken}` });
});

test("starting twice is one session; a restart, and a start after an end, are new ones with new tokens", async () => {
  await start();
  const first = await requestOnDisk();
  await start();
  expect(await requestOnDisk()).toEqual(first);
  await ask("POST", `${base}/restart`);
  const second = await requestOnDisk();
  expect([second.session, second.rebuild]).toEqual([2, false]);
  expect([first.gitToken, first.accessToken]).not.toContain(second.gitToken);
  expect(first.accessToken).not.toBe(second.accessToken);
  await observe({ state: "failed", reason: "no such package" });
  expect((await ask("GET", base)).body).toMatchObject({
    state: "failed",
    reason: "no such package",
    applied: true,
  });
  await start();
  expect((await requestOnDisk()).session).toBe(3);
  expect((await ask("GET", base)).body).toMatchObject({ state: "queued", reason: null, applied: false });
  await stop();
  expect(await requestOnDisk()).toMatchObject({ session: 3, state: "stopped" });
  await stop();
  expect((await requestOnDisk()).generation).toBe(4);
  await ask("POST", `${base}/rebuild`);
  expect(await requestOnDisk()).toMatchObject({ session: 4, rebuild: true, state: "running" });
});

test("one that does not run cannot be opened or kept alive, and says how to start it", async () => {
  for (const verb of ["open", "keep-alive"]) {
    const { status, body } = await ask<Problem>("POST", `${base}/${verb}`);
    expect([status, body.code, body.hint]).toEqual([
      409,
      "WORKSPACE_NOT_RUNNING",
      "start it: dtaas workspace start user1",
    ]);
  }
  await start();
  expect((await ask<Problem>("POST", `${base}/open`)).status).toBe(409); // not ready yet
  expect((await ask("POST", `${base}/keep-alive`)).status).toBe(202);
  expect((await requestOnDisk()).keptAliveAt).toBeDefined();
  await observe({ state: "stopped", reason: "idle" });
  expect((await ask<Problem>("POST", `${base}/keep-alive`)).status).toBe(409);
});

test("a list has one's own only, and all for an administrator; others are refused, strangers see nothing", async () => {
  await start();
  await api.ask("user2", "PUT", "/workspaces/user2/state", { state: "running" });
  const names = async (who: string) =>
    (await ask<Items<WorkspaceView>>("GET", "/workspaces", undefined, who)).body.items.map(
      ({ user }) => user,
    );
  expect(await names("user1")).toEqual(["user1"]);
  expect(await names("admin")).toEqual(["user1", "user2"]);
  expect(await names("maintainer")).toEqual([]);
  expect((await ask("POST", `${base}/open`, undefined, "maintainer")).status).toBe(403);
  expect((await ask("GET", base, undefined, "user2")).status).toBe(404);
});

test("what the runner observed is told with the time of each stage", async () => {
  await start();
  const stages = [
    { name: "creating" as const, startedAt: at, finishedAt: "2026-01-01T00:00:00.300Z" },
    { name: "ready" as const, startedAt: "2026-01-01T00:00:00.300Z" },
  ];
  const services = [{ name: "terminal", title: "Terminal", path: "/terminal/" }];
  const workTree = {
    checkedAt: at,
    branch: "main",
    commit: "a".repeat(40),
    ahead: 0,
    behind: 2,
    changed: ["a.txt"],
  };
  await observe({ stages, services, workTree, behind: "upgraded", port: 1 });
  const { body } = await ask("GET", base);
  expect(body).toMatchObject({ state: "ready", services, workTree, behind: "upgraded" });
  expect(body.stages.map(({ name, tookMs }) => [name, tookMs])).toEqual([
    ["creating", 300],
    ["ready", null],
  ]);
  expect((await ask<Items<unknown>>("GET", `${base}/services`)).body.items).toEqual(services);
});

test("the log of the session and of the build are told apart", async () => {
  await start();
  await observe({ imageHash: "b".repeat(64) });
  const line = (text: string) => `${JSON.stringify({ at, stream: "out", text })}\n`;
  const folder = join(api.data.workspaces, "user1", "sessions", "1");
  await mkdir(folder, { recursive: true });
  await mkdir(api.data.builds, { recursive: true });
  await writeFile(join(folder, "log.ndjson"), line("tools are up"));
  await writeFile(join(api.data.builds, `${"b".repeat(64)}.ndjson`), `${line("Step 1")}{"half`);
  const log = async (query: string) => (await ask<string>("GET", `${base}/log${query}`)).body;
  expect(await log("")).toBe("tools are up\n");
  expect(await log("?of=build")).toBe("Step 1\n");
  expect((await ask<Problem>("GET", `${base}/log?of=all`)).status).toBe(400);
});

test("a project whose user the Git host does not know has no workspace", async () => {
  api.forge.level["dtaas/nobody"] = { admin: 40 };
  const { status, body } = await ask<Problem>(
    "PUT",
    "/workspaces/nobody/state",
    { state: "running" },
    "admin",
  );
  expect([status, body.code]).toEqual([404, "WORKSPACE_OWNER_UNKNOWN"]);
});
