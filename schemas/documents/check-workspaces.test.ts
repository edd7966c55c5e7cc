import { expect, expectTypeOf, test } from "vitest";
import type { ObservedWorkspaceDocument } from "../generated/observed-workspace.ts";
import type { WorkspaceRequestDocument } from "../generated/workspace-request.ts";
import type { ObservedWorkspace, WorkspaceRequest } from "../workspace-state.ts";
import { checkObservedWorkspace, checkWorkspaceRequest } from "./check-documents.ts";

const now = "2026-01-02T03:04:05.678Z";
const token = "a".repeat(43);

const request: WorkspaceRequest = {
  version: 1,
  user: "user1",
  generation: 3,
  session: 2,
  writtenAt: now,
  state: "running",
  requestedBy: "user1",
  rebuild: false,
  keptAliveAt: now,
  template: { template: "base", packages: { apt: ["jq"], pip: [] } },
  resources: { cpus: 0.5, memoryBytes: 2 ** 30, shmBytes: 2 ** 26, pids: 100 },
  idleStopAfterMs: 60_000,
  repository: { project: "dtaas/user1", branch: "feature/x" },
  owner: { id: 4, name: "Zoë", email: "4-user1@users.noreply.forge.test" },
  gitToken: token,
  accessToken: token,
};

const observed: ObservedWorkspace = {
  version: 1,
  user: "user1",
  generation: 3,
  session: 2,
  observedAt: now,
  state: "ready",
  since: now,
  reason: "because",
  stages: [
    { name: "creating", startedAt: now, finishedAt: now },
    { name: "ready", startedAt: now },
  ],
  imageHash: "b".repeat(64),
  imageId: `sha256:${"c".repeat(64)}`,
  behind: "upgraded",
  containerId: "d".repeat(64),
  port: 4711,
  services: [{ name: "terminal", title: "Terminal", path: "/terminal/" }],
  workTree: {
    checkedAt: now,
    problem: "p",
    branch: "main",
    commit: "e".repeat(40),
    ahead: 1,
    behind: 2,
    changed: ["a b"],
  },
  lastActiveAt: now,
  stopsIdleAt: now,
};

test("documents of workspaces pass as they are written", () => {
  expect(checkWorkspaceRequest(request)).toBe(request);
  const { template: _template, ...rest } = request;
  expect(checkWorkspaceRequest({ ...rest, image: "lab/desk:1" })).toBeDefined();
  expect(checkObservedWorkspace(observed)).toBe(observed);
});

test.each([
  ["a user that climbs", { user: "../user1" }],
  ["a state that there is none of", { state: "paused" }],
  ["a package that is an option", { template: { template: "base", packages: { apt: ["-o"], pip: [] } } }],
  ["a branch that is an option", { repository: { project: "dtaas/user1", branch: "--upload-pack=x" } }],
  ["a branch with a line break", { repository: { project: "dtaas/user1", branch: "a\nb" } }],
  ["a token that is guessed easily", { gitToken: "secret" }],
  ["a token with a line break", { gitToken: `${"a".repeat(42)}\n` }],
  ["an engine option", { privileged: true }],
])("a request with %s is refused", (_name, change) => {
  expect(() => checkWorkspaceRequest({ ...request, ...change })).toThrow(
    expect.objectContaining({ code: "DOCUMENT_INVALID" }),
  );
});

test("types in code and schemas are the same", () => {
  expectTypeOf<WorkspaceRequestDocument>().toEqualTypeOf<WorkspaceRequest>();
  expectTypeOf<ObservedWorkspaceDocument>().toEqualTypeOf<ObservedWorkspace>();
});
