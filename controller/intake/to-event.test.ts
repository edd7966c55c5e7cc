import fc from "fast-check";
import { expect, test } from "vitest";
import { toEvent } from "./to-event.ts";
import { toIntent } from "./to-intent.ts";

const zeros = "0".repeat(40);
const before = "a".repeat(40);
const after = "b".repeat(40);
const pushHook = { "x-gitlab-event": "Push Hook" };
const systemHook = { "x-gitlab-event": "System Hook" };

function push(changes: Record<string, unknown> = {}, project: Record<string, unknown> = {}): unknown {
  return {
    object_kind: "push",
    event_name: "push",
    before,
    after,
    ref: "refs/heads/main",
    checkout_sha: after,
    user_username: "user1",
    project_id: 7,
    project: { id: 7, path_with_namespace: "dtaas/user1", default_branch: "main", ...project },
    commits: [],
    total_commits_count: 0,
    ...changes,
  };
}

test("a push says which branch of which project moved, and whether it is the default one", () => {
  const event = toEvent(pushHook, push());
  expect(event).toEqual({
    kind: "pushed",
    projectId: 7,
    projectPath: "dtaas/user1",
    branch: "main",
    before,
    after,
    isDefaultBranch: true,
    username: "user1",
  });
  expect(toIntent(event)).toEqual({ kind: "reconcile", project: "dtaas/user1", head: after });
});

test("a push to another branch is understood and nothing is done", () => {
  const event = toEvent(pushHook, push({ ref: "refs/heads/feature/x" }));
  expect(event).toMatchObject({ kind: "pushed", branch: "feature/x", isDefaultBranch: false });
  expect(toIntent(event)).toMatchObject({ kind: "none" });
});

test("a made and a deleted default branch have no commit before or after, and the project is looked at", () => {
  const made = toEvent(pushHook, push({ before: zeros }));
  expect(made).toMatchObject({ before: undefined, after });
  const deleted = toEvent(pushHook, push({ after: zeros, checkout_sha: null }));
  expect(deleted).toMatchObject({ before, after: undefined });
  expect(toIntent(deleted).kind).toBe("reconcile");
});

test("when the host does not say which branch is the default one, the project is looked at", () => {
  expect(toIntent(toEvent(pushHook, push({}, { default_branch: null }))).kind).toBe("reconcile");
});

test("a push that names two different projects is ignored", () => {
  expect(toEvent(pushHook, push({ project_id: 8 }))).toMatchObject({ kind: "ignored" });
});

test.each([
  ["project_create", "project-created"],
  ["project_destroy", "project-removed"],
  ["project_rename", "project-moved"],
  ["project_transfer", "project-moved"],
])("%s of the system hook is %s", (event_name, kind) => {
  const body = {
    event_name,
    project_id: 9,
    path_with_namespace: "dtaas/new",
    old_path_with_namespace: "dtaas/old",
  };
  const event = toEvent(systemHook, body);
  expect(event).toMatchObject({ kind, projectId: 9, projectPath: "dtaas/new" });
  expect(toIntent(event)).toEqual({ kind: "reconcile", project: "dtaas/new" });
});

test.each([
  ["a tag", pushHook, push({ ref: "refs/tags/v1" })],
  ["an event we do not know", { "x-gitlab-event": "Emoji Hook" }, push()],
  ["an event without a name", {}, push()],
  ["a name that is there twice", { "x-gitlab-event": ["Push Hook", "Push Hook"] }, push()],
  ["a body of another kind", pushHook, push({ object_kind: "tag_push" })],
  [
    "a body of another host",
    pushHook,
    { ref: "refs/heads/main", after, repository: { id: 1, full_name: "a/b" } },
  ],
  ["null fields", pushHook, push({ project: null })],
  ["a path with control characters", pushHook, push({}, { path_with_namespace: "dtaas/\nuser1" })],
  ["a path that leads elsewhere", pushHook, push({}, { path_with_namespace: "--upload-pack=x" })],
  ["a commit that is none", pushHook, push({ after: "HEAD; rm -rf /" })],
  ["a project id that is a text", pushHook, push({ project_id: "7" })],
  ["a system event about something else", systemHook, { event_name: "user_create", user_id: 1 }],
])("%s is ignored with a reason", (_title, headers, body) => {
  const event = toEvent(headers, body);
  expect(event).toMatchObject({ kind: "ignored", reason: expect.stringMatching(/./) });
  expect(toIntent(event)).toMatchObject({ kind: "none", reason: expect.stringMatching(/./) });
});

test("whatever comes is an event and never an exception", () => {
  const names = fc.constantFrom("Push Hook", "System Hook", "Note Hook", "");
  fc.assert(
    fc.property(names, fc.anything(), fc.dictionary(fc.string(), fc.anything()), (name, body, changes) => {
      expect(toEvent({ "x-gitlab-event": name }, body).kind).toBeTypeOf("string");
      expect(toEvent({ "x-gitlab-event": name }, push(changes)).kind).toBeTypeOf("string");
    }),
  );
});

test("a member who came, left or has another role makes who may read what be asked again", () => {
  const member = { user_username: "user1", user_id: 3, access_level: "Reporter" };
  for (const verb of ["add_to", "update_for", "remove_from"]) {
    const ofProject = {
      ...member,
      event_name: `user_${verb}_team`,
      project_path_with_namespace: "lab/turbines",
    };
    expect(toEvent(systemHook, ofProject)).toEqual({ kind: "members-changed", of: "lab/turbines" });
    const ofGroup = toEvent(systemHook, { ...member, event_name: `user_${verb}_group`, group_path: "lab" });
    expect(ofGroup).toEqual({ kind: "members-changed", of: "lab" });
    expect(toIntent(ofGroup).kind).toBe("look-at-readers");
  }
  const strange = { event_name: "user_add_to_team", project_path_with_namespace: 7 };
  expect(toEvent(systemHook, strange).kind).toBe("ignored");
});

const mergeRequest = (changes: object = {}) => ({
  object_kind: "merge_request",
  project: { id: 7, path_with_namespace: "dtaas/user1" },
  object_attributes: { iid: 3, target_project_id: 7, action: "update", ...changes },
});

test("a merge request that changed, and a note on one, have it looked at; nothing else of them counts", () => {
  const changed = toEvent({ "x-gitlab-event": "Merge Request Hook" }, mergeRequest());
  const which = { projectId: 7, projectPath: "dtaas/user1", iid: 3 };
  expect(changed).toEqual({ kind: "merge-request-changed", ...which, action: "update" });
  const note = {
    ...{ object_kind: "note", project: { id: 7, path_with_namespace: "dtaas/user1" } },
    object_attributes: { noteable_type: "MergeRequest", note: "/dtaas run clean" },
    merge_request: { iid: 3, target_project_id: 7 },
  };
  const said = toEvent({ "x-gitlab-event": "Note Hook" }, note);
  expect(said).toEqual({ kind: "note-added", ...which });
  for (const event of [changed, said]) {
    expect(toIntent(event)).toEqual({ kind: "review", project: "dtaas/user1", iid: 3 });
  }
});

test("a merge request of another project, a note on something else, and odd numbers are ignored", () => {
  const hook = { "x-gitlab-event": "Merge Request Hook" };
  expect(toEvent(hook, mergeRequest({ target_project_id: 8 }))).toMatchObject({ kind: "ignored" });
  for (const iid of [0, -1, 1.5, "3", null, 1e12]) {
    expect(toEvent(hook, mergeRequest({ iid }))).toMatchObject({ kind: "ignored" });
  }
  const issue = {
    ...{ object_kind: "note", project: { id: 7, path_with_namespace: "dtaas/user1" } },
    object_attributes: { noteable_type: "Issue" },
  };
  expect(toEvent({ "x-gitlab-event": "Note Hook" }, issue)).toMatchObject({ kind: "ignored" });
});

const project = { id: 7, path_with_namespace: "dtaas/user1" };

test("events of pipelines and jobs say whom to ask, and nothing that a late event could have wrong", () => {
  const pipeline = { object_kind: "pipeline", object_attributes: { id: 31, status: "success" }, project };
  const changed = toEvent({ "x-gitlab-event": "Pipeline Hook" }, pipeline);
  const at = { projectId: 7, projectPath: "dtaas/user1", pipelineId: 31 };
  expect(changed).toEqual({ kind: "pipeline-changed", ...at });
  expect(toIntent(changed)).toMatchObject({ kind: "look-at-pipeline", projectId: 7, pipeline: 31 });
  const job = {
    object_kind: "build",
    build_id: 32,
    build_status: "canceled",
    pipeline_id: 31,
    project_id: 7,
    project,
  };
  const ended = toEvent({ "x-gitlab-event": "Job Hook" }, job);
  expect(ended).toEqual({ kind: "job-changed", ...at, jobId: 32 });
  expect(toIntent(ended)).toMatchObject({ kind: "look-at-pipeline", pipeline: 31, job: 32 });
});

test.each([
  ["Pipeline Hook", { object_kind: "pipeline", object_attributes: null, project }],
  ["Pipeline Hook", { object_kind: "pipeline", object_attributes: { id: "31" }, project }],
  ["Pipeline Hook", { object_kind: "build", object_attributes: { id: 31 }, project }],
  ["Job Hook", { object_kind: "build", build_id: 32, pipeline_id: 31, project_id: 8, project }],
  ["Job Hook", { object_kind: "build", build_id: -1, pipeline_id: 31, project_id: 7, project }],
  ["Job Hook", []],
])("a %s that is none is ignored with a reason (%#)", (name, body) => {
  expect(toEvent({ "x-gitlab-event": name }, body)).toMatchObject({
    kind: "ignored",
    reason: expect.any(String),
  });
});
