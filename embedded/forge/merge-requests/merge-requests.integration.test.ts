import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hookReceiver } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";
import { type Client, type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

let world: ReviewWorld;
let project: string;
let ada: Client;
let dev: Client;

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
  ada = world.as("ada");
  dev = world.as("dev");
});

afterAll(() => world.end());

const open = (branch: string, title: string, options = {}) =>
  dev.MergeRequests.create(project, branch, "main", title, options);

// gitbeaker asks for it by PUT, which GitLab does not know.
const mergeRef = (iid: number) =>
  world.api("dev", "GET", `projects/plant%2Ftank/merge_requests/${iid}/merge_ref`);

/** Shown once it has followed the last push. */
const show = (iid: number) => dev.MergeRequests.show(project, iid);

test("a branch is proposed, looked at, approved and merged, and the target has it", async () => {
  const head = await world.change("speed", {
    "dt.yaml": "name: tank\nkind: pump\nspeed: 2\nlimit: 9\nunit: rpm\n",
  });
  const made = await open("speed", "Faster", {
    description: "- [x] tried\n- [ ] told",
    labels: "pump,urgent",
  });
  expect(made).toMatchObject({
    iid: 1,
    state: "opened",
    title: "Faster",
    sha: head,
    draft: false,
    labels: ["pump", "urgent"],
    author: { username: "dev" },
    source_branch: "speed",
    target_branch: "main",
    merge_status: "can_be_merged",
    detailed_merge_status: "mergeable",
    has_conflicts: false,
    changes_count: "1",
    diff_refs: { head_sha: head },
    task_completion_status: { count: 2, completed_count: 1 },
    references: { full: `${project}!1` },
    user: { can_merge: true },
    web_url: `${world.forge.url}/${project}/-/merge_requests/1`,
  });
  const diffs = await dev.MergeRequests.allDiffs(project, 1);
  expect(diffs).toMatchObject([{ new_path: "dt.yaml" }]);
  expect(diffs[0]?.diff).toContain("-speed: 1\n+speed: 2\n");
  expect((await dev.MergeRequests.allCommits(project, 1)).map((each) => each.id)).toEqual([head]);
  expect(await dev.MergeRequests.showChanges(project, 1)).toMatchObject({ overflow: false, changes: [{}] });
  await ada.MergeRequestApprovals.approve(project, 1, { sha: head });
  expect(await rejection(ada.MergeRequestApprovals.approve(project, 1))).toMatch(/^401/);
  expect(await dev.MergeRequestApprovals.showConfiguration(project, { mergerequestIId: 1 })).toMatchObject({
    approved: true,
    approved_by: [{ user: { username: "ada" } }],
  });
  const merged = await ada.MergeRequests.merge(project, 1, { sha: head, shouldRemoveSourceBranch: true });
  expect(merged).toMatchObject({
    state: "merged",
    detailed_merge_status: "not_open",
    merge_user: { username: "ada" },
    user_notes_count: 0,
  });
  const commit = await ada.Commits.show(project, "main");
  expect(commit.id).toBe(merged.merge_commit_sha);
  expect(commit).toMatchObject({ author_name: "Ada", parent_ids: [expect.any(String), head] });
  expect(commit.message).toBe(
    `Merge branch 'speed' into 'main'\n\nFaster\n\nSee merge request ${project}!1\n`,
  );
  expect(await rejection(ada.Branches.show(project, "speed"))).toMatch(/^404/);
  const found = await world.api(
    "ada",
    "GET",
    `projects/plant%2Ftank/repository/commits/${head}/merge_requests`,
  );
  expect(found.body).toMatchObject([{ iid: 1 }]);
});

test("the head and the merge result can be fetched, are no branches, and nobody can push to them", async () => {
  const head = await world.change("refs", { "refs.txt": "one\n" });
  const { iid } = await open("refs", "Refs");
  const clone = await world.clone(project, "rita", "glpat-rita");
  await world.git(clone, "fetch", "--quiet", "origin", `refs/merge-requests/${iid}/head`);
  expect(await world.git(clone, "rev-parse", "FETCH_HEAD")).toBe(head);
  await world.git(clone, "fetch", "--quiet", "origin", `refs/merge-requests/${iid}/merge`);
  const merge = await world.git(clone, "rev-parse", "FETCH_HEAD");
  expect(await world.git(clone, "show", "FETCH_HEAD:refs.txt")).toBe("one");
  expect((await mergeRef(iid)).body).toEqual({ commit_id: merge });
  expect((await dev.Branches.all(project)).map((each) => each.name)).not.toContain(
    `merge-requests/${iid}/head`,
  );
  expect(await world.git(clone, "ls-remote", "origin")).not.toContain("keep-around");
  await expect(
    world.git(world.main, "push", "origin", `HEAD:refs/merge-requests/${iid}/head`),
  ).rejects.toThrow(/deny updating a hidden ref/);
});

test("each push makes a version, and the result follows both branches", async () => {
  const first = await world.change("versions", { "v.txt": "1\n" });
  const { iid } = await open("versions", "Versions");
  const before = await mergeRef(iid);
  const second = await world.change("versions", { "v.txt": "2\n" });
  await vi.waitFor(async () => expect((await show(iid)).sha).toBe(second), { timeout: 10_000 });
  const versions = await dev.MergeRequests.allDiffVersions(project, iid);
  expect(versions.map((each) => each.head_commit_sha)).toEqual([second, first]);
  expect(versions[0]).toMatchObject({ state: "collected", real_size: "1" });
  expect(versions[0]?.["patch_id_sha"]).toMatch(/^[0-9a-f]{40}$/);
  const version = await dev.MergeRequests.showDiffVersion(project, iid, versions[1]?.id ?? 0);
  expect(version).toMatchObject({ commits: [{ id: first }], diffs: [{ new_path: "v.txt" }] });
  const notes = await dev.MergeRequestNotes.all(project, iid);
  expect(notes).toMatchObject([{ system: true, body: expect.stringContaining("added 1 commit") }]);
  await world.change("main", { "other.txt": `${iid}\n` });
  const after = await mergeRef(iid);
  expect(after).not.toEqual(before);
  expect(await show(iid)).toMatchObject({ detailed_merge_status: "mergeable" });
});

test("a conflict is told, the result is withdrawn, a merge refused, and a mend noticed", async () => {
  await world.change("left", { "dt.yaml": "name: tank\nkind: pump\nspeed: 5\n" });
  const { iid } = await open("left", "Left");
  await world.change("main", { "dt.yaml": "name: tank\nkind: pump\nspeed: 7\n" });
  const shown = await show(iid);
  expect(shown).toMatchObject({
    has_conflicts: true,
    merge_status: "cannot_be_merged",
    detailed_merge_status: "conflict",
  });
  expect((await mergeRef(iid)).status).toBe(400);
  const refs = await world.git(world.main, "ls-remote", "origin", `refs/merge-requests/${iid}/*`);
  expect(refs).not.toContain("/merge\n");
  expect(await rejection(dev.MergeRequests.merge(project, iid))).toBe("405 405 Method Not Allowed");
  await world.git(world.main, "switch", "--quiet", "left");
  await world.git(world.main, "merge", "--quiet", "-X", "ours", "-m", "mend", "origin/main").catch(() => "");
  await world.git(world.main, "push", "--quiet", "origin", "left");
  await vi.waitFor(
    async () =>
      expect(await show(iid)).toMatchObject({ has_conflicts: false, detailed_merge_status: "mergeable" }),
    { timeout: 10_000 },
  );
});

test("a merge is refused in the order of its checks: right, head, readiness", async () => {
  const head = await world.change("order", { "order.txt": "1\n" });
  const { iid } = await open("order", "Draft: Order");
  const rita = world.as("rita");
  expect(await rejection(rita.MergeRequests.merge(project, iid, { sha: "0".repeat(40) }))).toMatch(/^401/);
  expect(await rejection(dev.MergeRequests.merge(project, iid, { sha: "0".repeat(40) }))).toBe(
    `409 SHA does not match HEAD of source branch: ${head}`,
  );
  expect(await rejection(dev.MergeRequests.merge(project, iid))).toMatch(/^405/);
  expect(await show(iid)).toMatchObject({ draft: true, detailed_merge_status: "draft_status" });
  await dev.MergeRequests.edit(project, iid, { title: "Order" });
  expect(await dev.MergeRequests.merge(project, iid, { sha: head })).toMatchObject({ state: "merged" });
  expect(await rejection(dev.MergeRequests.merge(project, iid))).toMatch(/^405/);
});

test("a protected target takes merges from those who may only", async () => {
  await ada.ProtectedBranches.create(project, "stable", { pushAccessLevel: 40, mergeAccessLevel: 40 });
  await ada.Branches.create(project, "stable", "main");
  await world.change("to-stable", { "stable.txt": "1\n" });
  const made = await dev.MergeRequests.create(project, "to-stable", "stable", "Stable");
  expect(made).toMatchObject({ user: { can_merge: false } });
  expect(await rejection(dev.MergeRequests.merge(project, made.iid))).toMatch(/^401/);
  expect(await ada.MergeRequests.merge(project, made.iid)).toMatchObject({ state: "merged" });
});

test("a pipeline that has to succeed holds a merge back, and so do threads", async () => {
  await ada.Projects.edit(project, { onlyAllowMergeIfPipelineSucceeds: true });
  const head = await world.change("gated", { "gated.txt": "1\n" });
  const { iid } = await open("gated", "Gated");
  expect(await show(iid)).toMatchObject({ detailed_merge_status: "ci_must_pass", head_pipeline: null });
  await dev.Commits.editStatus(project, head, "running", { name: "dtaas/plan", ref: "gated" });
  expect(await show(iid)).toMatchObject({ detailed_merge_status: "ci_still_running" });
  await dev.Commits.editStatus(project, head, "success", { name: "dtaas/plan", ref: "gated" });
  expect(await show(iid)).toMatchObject({
    detailed_merge_status: "mergeable",
    head_pipeline: { status: "success", sha: head },
  });
  expect(await dev.MergeRequests.allPipelines(project, iid)).toMatchObject([{ status: "success" }]);
  await ada.Projects.edit(project, { onlyAllowMergeIfPipelineSucceeds: false });
});

test("several commits become one when squashed, in the author's name", async () => {
  await world.change("squashed", { "s1.txt": "1\n" });
  await world.change("squashed", { "s2.txt": "2\n" });
  const { iid } = await open("squashed", "Both files", { squash: true });
  const merged = await ada.MergeRequests.merge(project, iid, { mergeCommitMessage: "Take both" });
  const squashed = await ada.Commits.show(project, String(merged.squash_commit_sha));
  expect(squashed).toMatchObject({ title: "Both files", author_name: "Dev", committer_name: "Ada" });
  expect(await ada.Commits.show(project, "main")).toMatchObject({
    title: "Take both",
    parent_ids: [expect.any(String), squashed.id],
  });
});

test("with fast-forward merges a branch that is behind has to be rebased first", async () => {
  await ada.Projects.edit(project, { mergeMethod: "ff" });
  await world.change("behind", { "behind.txt": "1\n" }, "first step");
  await world.change("main", { "ahead.txt": "1\n" });
  const { iid } = await open("behind", "Behind");
  expect(await show(iid)).toMatchObject({ detailed_merge_status: "need_rebase" });
  expect(await dev.MergeRequests.rebase(project, iid)).toMatchObject({ rebase_in_progress: true });
  const rebased = await vi.waitFor(
    async () => {
      const shown = await show(iid);
      expect(shown.detailed_merge_status).toBe("mergeable");
      return shown;
    },
    { timeout: 10_000 },
  );
  expect(await ada.Commits.show(project, rebased.sha)).toMatchObject({
    title: "first step",
    author_name: "Ada",
  });
  const merged = await dev.MergeRequests.merge(project, iid);
  expect(merged.merge_commit_sha).toBeNull();
  expect(await ada.Commits.show(project, "main")).toMatchObject({ id: rebased.sha });
  await ada.Projects.edit(project, { mergeMethod: "merge" });
});

test("a second merge request for the same branches, nothing to merge, and what cannot be are refused", async () => {
  await world.change("twice", { "twice.txt": "1\n" });
  const { iid } = await open("twice", "Twice");
  expect(await rejection(open("twice", "Again"))).toBe(
    `409 ["Another open merge request already exists for this source branch: !${iid}"]`,
  );
  expect(await rejection(open("main", "Self"))).toMatch(/^422 .*same project\/branch/);
  expect(await rejection(open("nowhere", "Nowhere"))).toMatch(/^400 .*does not exist/);
  expect(await rejection(open("twice", "x".repeat(256)))).toMatch(/^400 .*too long/);
  expect(
    await rejection(dev.MergeRequests.edit(project, iid, { description: "x".repeat(1_000_001) })),
  ).toMatch(/^400 .*too long/);
  await ada.Branches.create(project, "same", "main");
  const empty = await open("same", "Same");
  expect(empty).toMatchObject({ detailed_merge_status: "commits_status", changes_count: "0" });
  await dev.MergeRequests.edit(project, iid, { stateEvent: "close" });
  const again = await open("twice", "Again");
  expect(await rejection(dev.MergeRequests.edit(project, iid, { stateEvent: "reopen" }))).toMatch(/^409/);
  await dev.MergeRequests.edit(project, again.iid, { stateEvent: "close" });
  expect(await dev.MergeRequests.edit(project, iid, { stateEvent: "reopen" })).toMatchObject({
    state: "opened",
  });
});

test("a merge request can be pointed at another branch, and is compared with that one", async () => {
  const [, older] = await ada.Commits.all(project, { refName: "main", perPage: 2, maxPages: 1 });
  await ada.Branches.create(project, "release", String(older?.id));
  await world.change("moving", { "moving.txt": "1\n" });
  const { iid } = await open("moving", "Moving");
  const moved = await dev.MergeRequests.edit(project, iid, { targetBranch: "release", addLabels: "late" });
  expect(moved).toMatchObject({ target_branch: "release", labels: ["late"] });
  expect(moved.changes_count).not.toBe("1");
});

test("lists are filtered by state, branch, label, author and text, in one project and in all", async () => {
  const iids = async (options: object) =>
    (await dev.MergeRequests.all({ projectId: project, sort: "asc", ...options })).map((each) => each.iid);
  expect(await iids({ state: "merged", sourceBranch: "speed" })).toEqual([1]);
  expect(await iids({ labels: "pump,urgent" })).toEqual([1]);
  expect(await iids({ search: "FAST" })).toEqual([1]);
  expect(await iids({ authorUsername: "nobody" })).toEqual([]);
  expect((await iids({ state: "opened" })).includes(1)).toBe(false);
  expect(await world.as("olga").MergeRequests.all({ scope: "all" })).toEqual([]);
  expect((await dev.MergeRequests.all({ scope: "all", perPage: 2, maxPages: 1 })).length).toBe(2);
  expect((await ada.MergeRequests.all({ groupId: "plant", state: "merged" })).length).toBeGreaterThan(2);
});

test("an outsider sees nothing, a guest neither, a reporter reads and cannot change", async () => {
  expect(await rejection(world.as("olga").MergeRequests.show(project, 1))).toBe("404 404 Project Not Found");
  expect(await rejection(world.as("gus").MergeRequests.show(project, 1))).toMatch(/^403/);
  const rita = world.as("rita");
  expect(await rita.MergeRequests.show(project, 1)).toMatchObject({ iid: 1, user: { can_merge: false } });
  expect(await rejection(rita.MergeRequests.edit(project, 1, { title: "x" }))).toMatch(/^403/);
  expect(await rejection(rita.MergeRequests.create(project, "speed", "main", "x"))).toMatch(/^403/);
  expect(await rejection(rita.MergeRequestApprovals.approve(project, 1))).toMatch(/^401/);
  expect(await rejection(dev.MergeRequests.remove(project, 1))).toMatch(/^403/);
});

test("hooks are told of opening, new code, changes, approval, merge and closing", async () => {
  const receiver = await hookReceiver();
  const hook = await ada.ProjectHooks.add(project, receiver.url, {
    pushEvents: false,
    mergeRequestsEvents: true,
  });
  await world.as("root").SystemHooks.create(receiver.url, {
    pushEvents: false,
    mergeRequestsEvents: true,
    ...{ repositoryUpdateEvents: false },
  });
  const first = await world.change("told", { "told.txt": "1\n" });
  const { iid } = await open("told", "Told");
  const second = await world.change("told", { "told.txt": "2\n" });
  await vi.waitFor(async () => expect((await show(iid)).sha).toBe(second), { timeout: 10_000 });
  await dev.MergeRequests.edit(project, iid, { title: "Told twice" });
  await ada.MergeRequestApprovals.approve(project, iid);
  await ada.MergeRequestApprovals.unapprove(project, iid);
  await dev.MergeRequests.edit(project, iid, { stateEvent: "close" });
  await dev.MergeRequests.edit(project, iid, { stateEvent: "reopen" });
  await dev.MergeRequests.merge(project, iid);
  const told = (event: string) =>
    receiver.received
      .filter(({ headers }) => headers["x-gitlab-event"] === event)
      .map(({ body }) => JSON.parse(body))
      .filter((body) => body.object_kind === "merge_request" && body.object_attributes.iid === iid);
  await vi.waitFor(() => expect(told("Merge Request Hook")).toHaveLength(8), { timeout: 10_000 });
  await vi.waitFor(() => expect(told("System Hook")).toHaveLength(8), { timeout: 10_000 });
  const byAction = new Map(told("Merge Request Hook").map((body) => [body.object_attributes.action, body]));
  expect([...byAction.keys()].sort()).toEqual(
    ["approved", "close", "merge", "open", "reopen", "unapproved", "update"].sort(),
  );
  const updates = told("Merge Request Hook").filter((body) => body.object_attributes.action === "update");
  expect(updates.map((body) => body.object_attributes.oldrev).filter(Boolean)).toEqual([first]);
  expect(updates.find((body) => !body.object_attributes.oldrev).changes).toEqual({
    title: { previous: "Told", current: "Told twice" },
  });
  expect(byAction.get("open")).toMatchObject({
    user: { username: "dev" },
    project: { path_with_namespace: project },
    object_attributes: { state: "opened", last_commit: { id: first }, source: {}, target: {} },
  });
  expect(byAction.get("merge")).toMatchObject({
    user: { username: "dev" },
    object_attributes: { state: "merged", detailed_merge_status: "not_open" },
  });
  await ada.ProjectHooks.remove(project, hook.id);
  await receiver.close();
});

test("what was pushed to the target by other means is merged, too", async () => {
  await world.change("by-hand", { "by-hand.txt": "1\n" });
  const { iid } = await open("by-hand", "By hand");
  await world.git(world.main, "push", "--quiet", "origin", "by-hand:main").catch(async () => {
    await world.git(world.main, "switch", "--quiet", "main");
    await world.git(world.main, "pull", "--quiet", "--rebase", "origin", "main");
    await world.git(world.main, "merge", "--quiet", "--no-edit", "by-hand");
    await world.git(world.main, "push", "--quiet", "origin", "main");
  });
  await vi.waitFor(async () => expect(await show(iid)).toMatchObject({ state: "merged" }), {
    timeout: 10_000,
  });
});

test("all of it is there after a restart, and pushes missed meanwhile are caught up with", async () => {
  const { iid } = await open("refs", "Refs again").catch(async () => ({ iid: 2 }));
  const before = await show(iid);
  await world.restart();
  expect(await show(iid)).toEqual(before);
  expect((await dev.MergeRequests.allDiffVersions(project, iid)).length).toBe(1);
});

test("a merge request that waits for a pipeline to merge it is not offered", async () => {
  const answer = await world.api("dev", "PUT", "projects/plant%2Ftank/merge_requests/2/merge", {
    auto_merge: true,
  });
  expect(answer.status).toBe(501);
});
