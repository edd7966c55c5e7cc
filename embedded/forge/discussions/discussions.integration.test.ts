import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hookReceiver } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";
import { type Client, type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

const spec = "name: tank\nkind: pump\nspeed: 1\nlimit: 9\nunit: rpm\n";
let world: ReviewWorld;
let project: string;
let dev: Client;
let rita: Client;
let iid: number;
let position: { baseSha: string; startSha: string; headSha: string; oldPath: string; newPath: string };

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
  dev = world.as("dev");
  rita = world.as("rita");
  await world.change("speed", { "dt.yaml": spec.replace("speed: 1", "speed: fast") });
  const made = await dev.MergeRequests.create(project, "speed", "main", "Faster");
  iid = made.iid;
  const refs = made.diff_refs as unknown as { base_sha: string; start_sha: string; head_sha: string };
  const shas = { baseSha: refs.base_sha, startSha: refs.start_sha, headSha: refs.head_sha };
  position = { ...shas, oldPath: "dt.yaml", newPath: "dt.yaml" };
});

afterAll(() => world.end());

const say = (by: Client, body: string, lines: { newLine?: string; oldLine?: string } = {}) =>
  by.MergeRequestDiscussions.create(project, iid, body, {
    position: { ...position, positionType: "text", ...lines } as never,
  });

test("a comment is written, edited by its author only, and taken back", async () => {
  const note = await rita.MergeRequestNotes.create(project, iid, "What for?");
  expect(note).toMatchObject({
    type: null,
    body: "What for?",
    author: { username: "rita" },
    system: false,
    resolvable: false,
    noteable_iid: iid,
    noteable_type: "MergeRequest",
  });
  const edited = await rita.MergeRequestNotes.edit(project, iid, note.id, { body: "What for, then?" });
  expect(edited).toMatchObject({ id: note.id, body: "What for, then?" });
  expect(await rejection(dev.MergeRequestNotes.edit(project, iid, note.id, { body: "x" }))).toMatch(/^403/);
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({ user_notes_count: 1 });
  await rita.MergeRequestNotes.remove(project, iid, note.id);
  expect(await rejection(rita.MergeRequestNotes.show(project, iid, note.id))).toMatch(/^404/);
});

test("a thread on a line is answered, resolved by the author of the merge request, and opened again", async () => {
  const thread = await say(rita, "Not a number", { newLine: "3" });
  expect(thread.id).toMatch(/^[0-9a-f]{40}$/);
  expect(thread).toMatchObject({
    individual_note: false,
    notes: [
      {
        type: "DiffNote",
        resolvable: true,
        resolved: false,
        position: { new_path: "dt.yaml", new_line: 3, old_line: null, head_sha: position.headSha },
      },
    ],
  });
  const answer = await dev.MergeRequestDiscussions.addNote(project, iid, thread.id, "True");
  expect(answer).toMatchObject({ type: "DiffNote", body: "True" });
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({ blocking_discussions_resolved: false });
  const path = `projects/plant%2Ftank/merge_requests/${iid}/discussions/${thread.id}`;
  expect((await world.api("rita", "PUT", path, { resolved: true })).status).toBe(403);
  expect((await world.api("dev", "PUT", path, { resolved: true })).body).toMatchObject({
    notes: [
      { resolved: true, resolved_by: { username: "dev" } },
      { resolved: true, resolved_by: { username: "dev" } },
    ],
  });
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({ blocking_discussions_resolved: true });
  await world.api("dev", "PUT", path, { resolved: false });
  const found = await dev.MergeRequestDiscussions.show(project, iid, thread.id);
  expect(found).toMatchObject({ notes: [{ resolved: false }, { resolved: false }] });
  await world.api("dev", "PUT", path, { resolved: true });
});

test.each([
  ["a removed line", { oldLine: "3" }, true],
  ["an unchanged line that is shown", { oldLine: "2", newLine: "2" }, true],
  ["an unchanged line by one number", { newLine: "2" }, false],
  ["a line behind the end", { oldLine: "6", newLine: "6" }, false],
  ["no line at all", {}, false],
])("%s can be spoken about: %s %s", async (_title, lines, isFine) => {
  const said = say(rita, "Here", lines);
  if (isFine) expect(await said).toMatchObject({ notes: [{ type: "DiffNote" }] });
  else expect(await rejection(said)).toMatch(/^400 .*must be a valid line code/);
});

test("a position of another commit or another file is refused", async () => {
  const at = (more: object) =>
    rejection(
      rita.MergeRequestDiscussions.create(project, iid, "x", {
        position: { ...position, positionType: "text", newLine: "3", ...more } as never,
      }),
    );
  expect(await at({ headSha: "1".repeat(40) })).toMatch(/^400/);
  expect(await at({ headSha: "--output=/tmp/x" })).toMatch(/^400/);
  expect(await at({ newPath: "readme.md", oldPath: "readme.md" })).toMatch(/^400/);
  expect(await at({ newPath: "../../etc/passwd", oldPath: ":(glob)**" })).toMatch(/^400/);
});

test("threads hold a merge back where the project says so", async () => {
  const threads = await dev.MergeRequestDiscussions.all(project, iid);
  for (const thread of threads.filter((each) => !each.individual_note)) {
    await world.api("dev", "PUT", `projects/plant%2Ftank/merge_requests/${iid}/discussions/${thread.id}`, {
      resolved: true,
    });
  }
  await world.as("ada").Projects.edit(project, { onlyAllowMergeIfAllDiscussionsAreResolved: true });
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({ detailed_merge_status: "mergeable" });
  const thread = await dev.MergeRequestDiscussions.create(project, iid, "One more");
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({
    detailed_merge_status: "discussions_not_resolved",
  });
  expect(await rejection(dev.MergeRequests.merge(project, iid))).toMatch(/^405/);
  const [note] = (thread.notes ?? []) as { id: number }[];
  await dev.MergeRequestDiscussions.editNote(project, iid, thread.id, Number(note?.id), {
    resolved: true,
  } as never);
  expect(await dev.MergeRequests.show(project, iid)).toMatchObject({ detailed_merge_status: "mergeable" });
});

test("an answer to a comment makes a thread of it", async () => {
  const note = await rita.MergeRequestNotes.create(project, iid, "By the way");
  const threads = await rita.MergeRequestDiscussions.all(project, iid);
  const thread = threads.find((each) => each.notes?.[0]?.id === note.id);
  expect(thread).toMatchObject({ individual_note: true });
  await dev.MergeRequestDiscussions.addNote(project, iid, String(thread?.id), "Yes?");
  expect(await rita.MergeRequestDiscussions.show(project, iid, String(thread?.id))).toMatchObject({
    individual_note: false,
    notes: [{ type: "DiscussionNote" }, { type: "DiscussionNote" }],
  });
});

test("a suggestion is taken over in one commit, and its thread resolved", async () => {
  const body = "A number:\n```suggestion:-0+1\nspeed: 2\nlimit: 10\n```";
  const thread = await say(rita, body, { newLine: "3" });
  const [suggestion] = (thread.notes?.[0]?.["suggestions"] ?? []) as { id: number }[];
  expect(suggestion).toMatchObject({
    from_line: 3,
    to_line: 4,
    from_content: "speed: fast\nlimit: 9\n",
    to_content: "speed: 2\nlimit: 10\n",
    appliable: true,
    applied: false,
  });
  const path = `suggestions/${suggestion?.id}/apply`;
  expect((await world.api("rita", "PUT", path)).status).toBe(403);
  expect((await world.api("olga", "PUT", path)).status).toBe(404);
  expect((await world.api("dev", "PUT", path)).body).toMatchObject({ applied: true, appliable: false });
  expect(await dev.RepositoryFiles.showRaw(project, "dt.yaml", "speed")).toBe(
    "name: tank\nkind: pump\nspeed: 2\nlimit: 10\nunit: rpm\n",
  );
  expect(await dev.Commits.show(project, "speed")).toMatchObject({
    title: "Apply 1 suggestion(s) to 1 file(s)",
    author_name: "Dev",
    trailers: { "Co-authored-by": expect.stringContaining("Rita") },
  });
  expect((await world.api("dev", "PUT", path)).status).toBe(400);
  expect(await dev.MergeRequestDiscussions.show(project, iid, thread.id)).toMatchObject({
    notes: [{ resolved: true, position: { head_sha: position.headSha } }],
  });
});

test("a suggestion for lines that changed meanwhile is refused", async () => {
  const thread = await say(rita, "```suggestion\nspeed: 3\n```", { newLine: "3" });
  const [suggestion] = (thread.notes?.[0]?.["suggestions"] ?? []) as { id: number }[];
  const answer = await world.api("dev", "PUT", `suggestions/${suggestion?.id}/apply`);
  expect(answer).toMatchObject({
    status: 400,
    body: { message: expect.stringMatching(/source code was changed/) },
  });
});

test("who cannot read the code says nothing, and endless or empty texts are refused", async () => {
  expect(await rejection(world.as("gus").MergeRequestNotes.create(project, iid, "x"))).toMatch(/^403/);
  expect(await rejection(world.as("olga").MergeRequestNotes.create(project, iid, "x"))).toMatch(/^404/);
  expect(await rejection(rita.MergeRequestNotes.create(project, iid, " \n"))).toMatch(
    /^400 .*can't be blank/,
  );
  expect(await rejection(rita.MergeRequestNotes.create(project, iid, "x".repeat(1_000_001)))).toMatch(
    /^400 .*too long/,
  );
});

test("a merge request takes so much text and no more", async () => {
  const big = "x".repeat(999_999);
  const answers: number[] = [];
  for (let turn = 0; turn < 18; turn++) {
    answers.push(
      (await world.api("rita", "POST", `projects/plant%2Ftank/merge_requests/${iid}/notes`, { body: big }))
        .status,
    );
  }
  expect(answers[0]).toBe(201);
  expect(answers.at(-1)).toBe(400);
  for (const note of await rita.MergeRequestNotes.all(project, iid)) {
    if (note.body === big) await rita.MergeRequestNotes.remove(project, iid, note.id);
  }
});

test("hooks are told what is said, where, and that it was edited", async () => {
  const receiver = await hookReceiver();
  const hook = await world
    .as("ada")
    .ProjectHooks.add(project, receiver.url, { pushEvents: false, noteEvents: true });
  const note = await rita.MergeRequestNotes.create(project, iid, "/dtaas plan");
  await rita.MergeRequestNotes.edit(project, iid, note.id, { body: "/dtaas preview" });
  await say(rita, "On a line", { newLine: "3" });
  const commit = await dev.Commits.show(project, "main");
  await rita.Commits.createComment(project, commit.id, "Old", {
    path: "readme.md",
    line: 1,
    line_type: "new",
  } as never);
  await vi.waitFor(() => expect(receiver.received).toHaveLength(4), { timeout: 10_000 });
  const bodies = receiver.received.map(({ body }) => JSON.parse(body));
  expect(receiver.received.every(({ headers }) => headers["x-gitlab-event"] === "Note Hook")).toBe(true);
  const find = (text: string) => bodies.find((body) => body.object_attributes.note === text);
  expect(find("/dtaas plan")).toMatchObject({
    object_kind: "note",
    event_type: "note",
    user: { username: "rita" },
    object_attributes: { action: "create", noteable_type: "MergeRequest", system: false, type: null },
    merge_request: { iid, source_branch: "speed", last_commit: {}, source: {}, target: {} },
  });
  expect(find("/dtaas preview")).toMatchObject({ object_attributes: { id: note.id, action: "update" } });
  expect(find("On a line").object_attributes).toMatchObject({
    type: "DiffNote",
    line_code: expect.stringMatching(/^[0-9a-f]{40}_0_3$/),
    position: { new_line: 3 },
  });
  expect(find("Old")).toMatchObject({
    object_attributes: { noteable_type: "Commit", commit_id: commit.id },
    commit: { id: commit.id },
  });
  for (const trigger of ["note_events", "merge_requests_events"]) {
    const path = `projects/plant%2Ftank/hooks/${hook.id}/test/${trigger}`;
    expect((await world.api("ada", "POST", path)).status).toBe(201);
  }
  expect(await rita.Commits.allComments(project, commit.id)).toMatchObject([
    { note: "Old", path: "readme.md" },
  ]);
  await receiver.close();
});

test("what was said is there after a restart", async () => {
  const before = await dev.MergeRequestDiscussions.all(project, iid);
  await world.restart();
  expect(await dev.MergeRequestDiscussions.all(project, iid)).toEqual(before);
});
