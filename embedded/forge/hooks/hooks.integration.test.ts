import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { hashObject, writeRawTree } from "#test/fixtures/git-http-server";
import { type ForgeWorld, forgeWorld, hookReceiver } from "../testing/forge-world.ts";

const signingToken = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
let world: ForgeWorld;
let receiver: Awaited<ReturnType<typeof hookReceiver>>;
let gitlab: InstanceType<typeof Gitlab>;

beforeAll(async () => {
  world = await forgeWorld();
  receiver = await hookReceiver();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
    ],
    projects: [{ path: "dtaas/ada" }],
    members: [{ path: "dtaas/ada", username: "ada", accessLevel: 40 }],
    tokens: [{ username: "ada", name: "laptop", scopes: ["api"], value: "glpat-ada" }],
  });
  gitlab = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  await gitlab.ProjectHooks.add("dtaas/ada", receiver.url, {
    token: "plain-secret",
    tagPushEvents: true,
    ...({ signingToken } as object),
  });
});

beforeEach(() => {
  receiver.received.length = 0;
});

afterAll(async () => {
  await receiver.close();
  await world.end();
});

async function deliveries(count: number) {
  await vi.waitFor(() => expect(receiver.received).toHaveLength(count), { timeout: 20_000 });
  return receiver.received.map(({ headers, body }) => ({ headers, body, json: JSON.parse(body) }));
}

test("a push is announced with both secrets, the commits and the files they touched", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const id = await world.push(clone, "twin.yaml", "a: 1");
  const [delivery] = await deliveries(1);
  expect(delivery?.headers).toMatchObject({
    "content-type": "application/json",
    "user-agent": "GitLab/19.3.0",
    "x-gitlab-event": "Push Hook",
    "x-gitlab-token": "plain-secret",
    "x-gitlab-instance": world.forge.url,
    "idempotency-key": delivery?.headers["webhook-id"],
  });
  const headers = delivery?.headers as Record<string, string>;
  expect(new Webhook(signingToken).verify(delivery?.body ?? "", headers)).toEqual(delivery?.json);
  expect(delivery?.json).toMatchObject({
    object_kind: "push",
    before: "0".repeat(40),
    after: id,
    ref: "refs/heads/main",
    checkout_sha: id,
    user_username: "ada",
    project: { path_with_namespace: "dtaas/ada", default_branch: "main", visibility_level: 0 },
    total_commits_count: 1,
    commits: [{ id, title: "write twin.yaml", added: ["twin.yaml"], modified: [], removed: [] }],
  });
});

test("commits come oldest first, the newest twenty of them", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  for (let number = 1; number <= 22; number++) {
    await world.git(clone, "commit", "--quiet", "--allow-empty", "-m", `number ${number}`);
  }
  await world.git(clone, "push", "--quiet", "origin", "HEAD");
  const [delivery] = await deliveries(1);
  const titles = delivery?.json.commits.map((commit: { title: string }) => commit.title);
  expect(titles).toHaveLength(20);
  expect([titles[0], titles.at(-1)]).toEqual(["number 3", "number 22"]);
  expect(delivery?.json.total_commits_count).toBe(22);
});

test("making and deleting a branch, and a tag, are told apart", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const head = await world.git(clone, "rev-parse", "HEAD");
  await world.git(clone, "push", "--quiet", "-o", "ci.skip", "origin", "HEAD:refs/heads/next");
  const [made] = await deliveries(1);
  expect(made?.json).toMatchObject({
    before: "0".repeat(40),
    commits: [],
    push_options: { ci: { skip: true } },
  });
  await world.git(clone, "push", "--quiet", "origin", ":next");
  const [, removed] = await deliveries(2);
  expect(removed?.json).toMatchObject({ before: head, after: "0".repeat(40), checkout_sha: null });
  await world.git(clone, "tag", "-a", "v1", "-m", "first");
  await world.git(clone, "push", "--quiet", "origin", "v1");
  const [, , tag] = await deliveries(3);
  expect(tag?.headers["x-gitlab-event"]).toBe("Tag Push Hook");
  expect(tag?.json).toMatchObject({ object_kind: "tag_push", checkout_sha: head, message: "first" });
});

test("a push of more than three branches announces none of them", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const refs = [1, 2, 3, 4].map((number) => `HEAD:refs/heads/bulk-${number}`);
  await world.git(clone, "push", "--quiet", "origin", ...refs);
  await world.git(
    clone,
    "push",
    "--quiet",
    "origin",
    ...refs.slice(0, 3).map((ref) => ref.replace("HEAD", "")),
  );
  const all = await deliveries(3);
  expect(all.every((each) => each.json.after === "0".repeat(40))).toBe(true);
});

test("a push of ten thousand million files is announced, without their names", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const gitDir = join(clone, ".git");
  const tenOf = (mode: string, id: string) =>
    writeRawTree(
      gitDir,
      Array.from({ length: 10 }, (_, n) => ({ mode, name: `d${n}`, id })),
    );
  let tree = tenOf("100644", hashObject(gitDir, "blob", "x"));
  for (let depth = 1; depth < 10; depth += 1) tree = tenOf("40000", tree);
  const before = await world.git(clone, "rev-parse", "HEAD");
  const bomb = await world.git(clone, "commit-tree", "-m", "a bomb", "-p", before, tree);
  await world.git(clone, "push", "--quiet", "origin", `${bomb}:refs/heads/main`);
  const [announced] = await deliveries(1);
  expect(announced?.json).toMatchObject({ before, after: bomb, total_commits_count: 1 });
  expect(announced?.json.commits).toMatchObject([{ id: bomb, added: [], modified: [], removed: [] }]);
  const after = await world.git(clone, "commit-tree", "-m", "defused", "-p", bomb, `${before}^{tree}`);
  await world.git(clone, "push", "--quiet", "origin", `${after}:refs/heads/main`);
  const [, defused] = await deliveries(2);
  expect(defused?.json).toMatchObject({ before: bomb, after, total_commits_count: 1 });
});

test("secrets are never told back and a delivery can be looked up and sent again under the same key", async () => {
  const [hook] = await gitlab.ProjectHooks.all("dtaas/ada");
  expect(hook).toMatchObject({ token_present: true, signing_token_present: true, push_events: true });
  expect(JSON.stringify(hook)).not.toMatch(/plain-secret|whsec_/);
  const path = `projects/dtaas%2Fada/hooks/${hook?.id}`;
  await gitlab.Users.requester.post(`${path}/test/push_events`);
  const [first] = await deliveries(1);
  const events = await gitlab.Users.requester.get(`${path}/events`);
  const [event] = events.body as unknown as {
    id: number;
    response_status: string;
    request_headers: object;
  }[];
  expect(event).toMatchObject({ response_status: "202", trigger: "push_hooks" });
  expect(JSON.stringify(event)).not.toContain("plain-secret");
  await gitlab.Users.requester.post(`${path}/events/${event?.id}/resend`);
  const [, second] = await deliveries(2);
  expect(second?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"]);
  expect(second?.body).toBe(first?.body);
});

test("hooks survive a restart, can be changed and removed", async () => {
  await world.restart();
  const [hook] = await gitlab.ProjectHooks.all("dtaas/ada");
  const id = hook?.id ?? 0;
  await expect(gitlab.ProjectHooks.add("dtaas/ada", "ftp://nowhere")).rejects.toThrow(/Invalid url given/);
  const changed = await gitlab.ProjectHooks.edit("dtaas/ada", id, receiver.url, { pushEvents: false });
  expect(changed).toMatchObject({ push_events: false, tag_push_events: true });
  await gitlab.ProjectHooks.remove("dtaas/ada", id);
  expect(await gitlab.ProjectHooks.all("dtaas/ada")).toEqual([]);
});
