import fc from "fast-check";
import { expect, test } from "vitest";
import { toEventOfGitHub } from "./to-event-of-github.ts";
import { toIntent } from "./to-intent.ts";

// Fields as in GitHub's documentation of webhook payloads, and in the examples that its own libraries are tested with.
const before = "a".repeat(40);
const after = "b".repeat(40);
const zeros = "0".repeat(40);
const repository = { id: 186853002, full_name: "Octocoders/user1", default_branch: "main", private: true };
const of = { projectId: 186853002, projectPath: "Octocoders/user1" };
const sender = { login: "Codertocat", id: 21031067 };
const push = (changes = {}) => ({
  ref: "refs/heads/main",
  before,
  after,
  commits: [],
  repository,
  sender,
  ...changes,
});
const event = (name: string, body: unknown) => toEventOfGitHub({ "x-github-event": name }, body);

test("a push says which branch of which repository moved, and whether it is the default one", () => {
  const pushed = event("push", push());
  expect(pushed).toEqual({
    ...{
      kind: "pushed",
      ...of,
      branch: "main",
      before,
      after,
      isDefaultBranch: true,
      username: "Codertocat",
    },
  });
  expect(toIntent(pushed)).toEqual({ kind: "reconcile", project: of.projectPath, head: after });
  expect(toIntent(event("push", push({ ref: "refs/heads/x/y" }))).kind).toBe("none");
  expect(event("push", push({ ref: "refs/tags/simple-tag", after: zeros })).kind).toBe("ignored");
  expect(event("push", push({ after: zeros }))).toMatchObject({ before, after: undefined });
});

test("what happens to a pull request, and what is said about it, is looked at", () => {
  const pull = {
    action: "synchronize",
    number: 2,
    repository,
    pull_request: { number: 2, state: "open" },
    sender,
  };
  const changed = event("pull_request", pull);
  expect(changed).toEqual({ kind: "merge-request-changed", ...of, iid: 2, action: "synchronize" });
  expect(toIntent(changed)).toEqual({ kind: "review", project: of.projectPath, iid: 2 });
  const note = { kind: "note-added", ...of, iid: 2 };
  expect(event("pull_request_review_comment", { ...pull, action: "created" })).toEqual(note);
  const issue = { number: 2, pull_request: { url: "https://api.github.com/repos/Octocoders/user1/pulls/2" } };
  expect(event("issue_comment", { action: "created", issue, comment: { id: 1 }, repository })).toEqual(note);
  const noPull = { action: "created", issue: { number: 2 }, repository };
  expect(event("issue_comment", noPull).kind).toBe("ignored");
});

test.each([
  ["created", {}, { kind: "project-created", ...of }],
  ["unarchived", {}, { kind: "project-created", ...of }],
  ["deleted", {}, { kind: "project-removed", ...of }],
  ["archived", {}, { kind: "project-removed", ...of }],
  [
    "renamed",
    { changes: { repository: { name: { from: "user9" } } } },
    { kind: "project-moved", ...of, from: "Octocoders/user9" },
  ],
  [
    "transferred",
    { changes: { owner: { from: { user: { login: "Codertocat" } } } } },
    { kind: "project-moved", ...of, from: "Codertocat/user1" },
  ],
  ["privatized", {}, { kind: "members-changed", of: of.projectPath, projectId: of.projectId }],
])("a repository that was %s is said so", (action, more, wanted) => {
  expect(event("repository", { action, repository, ...more })).toEqual(wanted);
});

test("members of repositories, teams and organisations are asked for again", () => {
  expect(event("member", { action: "added", repository, member: sender })).toEqual({
    ...{ kind: "members-changed", of: of.projectPath, projectId: of.projectId },
  });
  const membership = { action: "removed", scope: "team", organization: { login: "Octocoders" } };
  expect(event("membership", membership)).toEqual({ kind: "members-changed", of: "Octocoders" });
});

test("runs of workflows and their jobs say whom to ask", () => {
  const run = {
    action: "completed",
    workflow_run: { id: 31, status: "completed", conclusion: "success" },
    repository,
  };
  const changed = event("workflow_run", run);
  expect(changed).toEqual({ kind: "pipeline-changed", ...of, pipelineId: 31 });
  expect(toIntent(changed)).toMatchObject({
    kind: "look-at-pipeline",
    projectId: of.projectId,
    pipeline: 31,
  });
  const job = {
    action: "in_progress",
    workflow_job: { id: 32, run_id: 31, status: "in_progress" },
    repository,
  };
  expect(event("workflow_job", job)).toEqual({ kind: "job-changed", ...of, pipelineId: 31, jobId: 32 });
});

test("a ping, an event that we do not know and one without a name are ignored", () => {
  expect(event("ping", { zen: "Keep it logically awesome.", hook_id: 1 }).kind).toBe("ignored");
  expect(event("star", { action: "created", repository })).toMatchObject({ kind: "ignored" });
  expect(toEventOfGitHub({}, push())).toMatchObject({ kind: "ignored" });
});

test("whatever the body is, the answer is an event", () => {
  const names = fc.constantFrom("push", "pull_request", "issue_comment", "repository", "member", "ping", "x");
  fc.assert(
    fc.property(names, fc.jsonValue(), (name, body) => {
      expect(["ignored", "members-changed"]).toContain(event(name, body).kind);
    }),
  );
  for (const full_name of ["../x", "a", "a/b/c", "a/b\n", `a/${"b".repeat(300)}`]) {
    expect(event("push", push({ repository: { ...repository, full_name } })).kind).toBe("ignored");
  }
  expect(event("push", push({ repository: { ...repository, id: 1e12 } })).kind).toBe("ignored");
});
