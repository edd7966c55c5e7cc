import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { packetLine } from "../git-http/packet-line.ts";
import { hookReceiver } from "../testing/forge-world.ts";
import { type ReviewWorld, reviewWorld } from "../testing/review-world.ts";
import { mergeRequestOptions } from "./push-options.ts";

const run = promisify(execFile);
let world: ReviewWorld;
let project: string;

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
});

afterAll(() => world.end());

/** Pushes a new commit on a branch; what git prints, as people see it. */
async function push(branch: string, message: string, ...options: string[]): Promise<string> {
  const clone = await world.clone(project, "dev", "glpat-dev");
  await world.git(clone, "switch", "--quiet", "-C", branch);
  await world.git(clone, "pull", "--quiet", "origin", branch).catch(() => "");
  await writeFile(join(clone, `${branch}.txt`), message);
  await world.git(clone, "add", "--all");
  await world.git(clone, "commit", "--quiet", "-m", message);
  const args = ["push", ...options.flatMap((option) => ["-o", option]), "origin", `HEAD:${branch}`];
  const { stderr } = await run("git", args, {
    cwd: clone,
    env: { PATH: "/usr/bin:/bin", HOME: world.folder },
  });
  return stderr;
}

test("a push opens a merge request and says where it is; a further push says so again", async () => {
  const printed = await push(
    "speed",
    "make it faster",
    "merge_request.create",
    "merge_request.target=main",
    "merge_request.title=Faster, please",
    "merge_request.description=First\\nSecond",
    "merge_request.label=pump",
    "merge_request.label=urgent",
  );
  expect(printed).toContain(`View merge request for speed:`);
  expect(printed).toContain(`  ${world.forge.url}/${project}/-/merge_requests/1`);
  expect(await world.as("dev").MergeRequests.show(project, 1)).toMatchObject({
    title: "Faster, please",
    description: "First\nSecond",
    labels: ["pump", "urgent"],
    author: { username: "dev" },
    detailed_merge_status: "mergeable",
  });
  expect(await push("speed", "and faster")).toContain("/-/merge_requests/1");
  expect(await push("speed", "again", "mr.title=Fastest")).not.toContain("WARNINGS");
  expect(await world.as("dev").MergeRequests.show(project, 1)).toMatchObject({ title: "Fastest" });
});

test("without a title the only commit gives it, and a draft is one", async () => {
  await push("limit", "raise the limit", "merge_request.create", "merge_request.draft");
  const [made] = await world.as("dev").MergeRequests.all({ projectId: project, sourceBranch: "limit" });
  expect(made).toMatchObject({ title: "Draft: raise the limit", draft: true });
});

test("what cannot be done is a warning, and the push stands", async () => {
  const printed = await push("wrong", "x", "merge_request.create", "merge_request.target=nowhere");
  expect(printed).toMatch(
    /WARNINGS:\s+.*Error encountered with push options .*merge_request.create.*does not exist/s,
  );
  expect(await push("wrong", "y", "merge_request.title=x")).toContain(
    "A merge_request.create push option is required",
  );
  expect(await world.as("dev").Branches.show(project, "wrong")).toMatchObject({ name: "wrong" });
});

test("a push without a merge request prints nothing of ours", async () => {
  expect(await push("plain", "x")).not.toContain("remote:");
});

test("an option of several lines is no message of the forge's own", async () => {
  const receiver = await hookReceiver();
  await world.as("ada").ProjectHooks.add(project, receiver.url, { pushEvents: true });
  await push("honest", "x");
  const { commit } = await world.as("dev").Branches.show(project, "honest");
  // git's own client refuses to send one, so the request is made by hand: the branch is removed.
  const forged = `ci.skip\n${"1".repeat(40)} ${"2".repeat(40)} refs/heads/forged\nend\n`;
  const command = `${commit.id} ${"0".repeat(40)} refs/heads/honest\0report-status delete-refs push-options`;
  const answer = await fetch(`${world.forge.url}/${project}.git/git-receive-pack`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from("dev:glpat-dev").toString("base64")}`,
      "content-type": "application/x-git-receive-pack-request",
    },
    body: `${packetLine(command)}0000${packetLine(forged)}0000`,
  });
  expect(await answer.text()).toContain("ok refs/heads/honest");
  await vi.waitFor(() => expect(receiver.received).toHaveLength(2), { timeout: 10_000 });
  const bodies = receiver.received.map(({ body }) => JSON.parse(body));
  expect(bodies.map((body) => body.ref)).toEqual(["refs/heads/honest", "refs/heads/honest"]);
  expect(bodies.map((body) => body.push_options)).toEqual([{}, {}]);
  await receiver.close();
});

test("options are read under both names, quoted or not", () => {
  const options = [
    "merge_request.create",
    'mr.title="A title"',
    "merge_request.label=a",
    "mr.label=b",
    "ci.skip",
  ];
  expect([...mergeRequestOptions(options)]).toEqual([
    ["create", [""]],
    ["title", ["A title"]],
    ["label", ["a", "b"]],
  ]);
});
