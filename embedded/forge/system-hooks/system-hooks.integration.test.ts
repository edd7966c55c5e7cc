import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type ForgeWorld, forgeWorld, hookReceiver } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

let world: ForgeWorld;
let root: InstanceType<typeof Gitlab>;
let receiver: Awaited<ReturnType<typeof hookReceiver>>;

beforeAll(async () => {
  world = await forgeWorld();
  receiver = await hookReceiver();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada", email: "ada@example.org" },
    ],
    groups: ["plant"],
    tokens: [
      { username: "root", name: "t", scopes: ["api"], value: "glpat-root" },
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
    ],
  });
  root = new Gitlab({ host: world.forge.url, token: "glpat-root" });
  await root.SystemHooks.create(receiver.url, { token: "s3cret" });
});

beforeEach(() => {
  receiver.received.length = 0;
});

afterAll(async () => {
  await world.end();
  await receiver.close();
});

type Event = Record<string, unknown>;

/** The bodies that came, as soon as these events are among them. */
async function events(...names: string[]): Promise<Event[]> {
  const bodies = () => receiver.received.map((each) => JSON.parse(each.body) as Event);
  await vi.waitFor(
    () =>
      expect(
        bodies()
          .map((each) => each["event_name"])
          .sort(),
      ).toEqual([...names].sort()),
    { timeout: 10_000 },
  );
  return names.map((name) => bodies().find((each) => each["event_name"] === name) ?? {});
}

test("a project that comes, is renamed, moves and goes is told each time", async () => {
  const group = await root.Groups.show("plant");
  const project = await root.Projects.create({ name: "Tank", namespaceId: group.id });
  const [made] = await events("project_create");
  expect(made).toMatchObject({
    name: "Tank",
    path: "tank",
    path_with_namespace: "plant/tank",
    project_id: project.id,
    project_namespace_id: group.id,
    owner_name: "plant",
    owners: [{ name: "Administrator" }],
    project_visibility: "private",
  });
  const [first] = receiver.received;
  expect(first?.headers).toMatchObject({
    "x-gitlab-event": "System Hook",
    "x-gitlab-token": "s3cret",
    "x-gitlab-instance": world.forge.url,
  });
  receiver.received.length = 0;
  await root.Projects.edit(project.id, { path: "vessel" });
  const [renamed] = await events("project_rename");
  expect(renamed).toMatchObject({ path: "vessel", old_path_with_namespace: "plant/tank" });
  receiver.received.length = 0;
  await root.Projects.transfer(project.id, "root");
  const [moved] = await events("project_transfer");
  expect(moved).toMatchObject({
    path_with_namespace: "root/vessel",
    old_path_with_namespace: "plant/vessel",
    owner_name: "Administrator",
  });
  expect(await root.Projects.show("root/vessel")).toMatchObject({ id: project.id });
  receiver.received.length = 0;
  await root.Projects.edit(project.id, { description: "x" });
  await root.Projects.remove(project.id);
  await events("project_update", "project_destroy");
});

test("people who come, are renamed and go are told, and a renamed one keeps their projects", async () => {
  const user = await root.Users.create({
    username: "max",
    name: "Max",
    email: "max@example.org",
    password: "max-password",
    skipConfirmation: true,
  });
  expect((await events("user_create"))[0]).toMatchObject({
    user_id: user.id,
    username: "max",
    email: "max@example.org",
  });
  await world.forge.admin.ensureProject("max/own");
  await events("user_create", "project_create");
  receiver.received.length = 0;
  await root.Users.edit(user.id, { username: "moritz" });
  expect((await events("user_rename"))[0]).toMatchObject({ username: "moritz", old_username: "max" });
  expect(await root.Projects.show("moritz/own")).toMatchObject({ path: "own" });
  expect(await rejection(root.Users.edit(user.id, { username: "ada" }))).toBe(
    "409 Username has already been taken",
  );
  receiver.received.length = 0;
  await root.Users.remove(user.id);
  await events("project_destroy", "user_destroy");
});

test("groups that come, are renamed and go are told, with their members", async () => {
  const group = await root.Groups.create("Lab", "lab");
  const [made, owner] = await events("group_create", "user_add_to_group");
  expect(made).toMatchObject({ group_id: group.id, path: "lab", name: "Lab" });
  expect(owner).toMatchObject({ user_username: "root", group_access: "Owner", group_path: "lab" });
  await world.forge.admin.ensureProject("lab/bench");
  await events("group_create", "user_add_to_group", "project_create");
  receiver.received.length = 0;
  await root.Groups.edit(group.id, { path: "works" });
  expect((await events("group_rename"))[0]).toMatchObject({
    full_path: "works",
    old_path: "lab",
    old_full_path: "lab",
  });
  expect(await root.Projects.show("works/bench")).toMatchObject({ path: "bench" });
  receiver.received.length = 0;
  await root.Groups.remove(group.id);
  await events("project_destroy", "group_destroy");
});

test("members of projects are told when they come, change and go", async () => {
  const project = await world.forge.admin.ensureProject("plant/pump");
  const ada = (await root.Users.all({ username: "ada" }))[0]?.id ?? 0;
  await events("project_create");
  receiver.received.length = 0;
  await root.ProjectMembers.add(project.id, 30, { userId: ada });
  await root.ProjectMembers.edit(project.id, ada, 40);
  await root.ProjectMembers.remove(project.id, ada);
  const [added, changed, removed] = await events(
    "user_add_to_team",
    "user_update_for_team",
    "user_remove_from_team",
  );
  expect(added).toMatchObject({
    access_level: "Developer",
    project_path_with_namespace: "plant/pump",
    user_username: "ada",
    user_email: "ada@example.org",
  });
  expect([changed?.["access_level"], removed?.["user_id"]]).toEqual(["Maintainer", ada]);
});

test("a push is told once with all refs it moved; pushes themselves only to hooks that ask for them", async () => {
  await world.forge.admin.ensureProject("plant/valve");
  const clone = await world.clone("plant/valve", "root", "glpat-root");
  await events("project_create");
  receiver.received.length = 0;
  await world.push(clone, "a.txt", "a");
  await events("repository_update");
  const hooks = await root.SystemHooks.all();
  await root.SystemHooks.requester.put(`hooks/${hooks[0]?.id}`, { body: { push_events: true } });
  receiver.received.length = 0;
  await world.git(clone, "commit", "--quiet", "--allow-empty", "-m", "second");
  const id = await world.git(clone, "rev-parse", "HEAD");
  await world.git(
    clone,
    "push",
    "--quiet",
    "origin",
    "HEAD:main",
    "HEAD:refs/heads/second",
    "HEAD:refs/tags/v1",
  );
  const [update, push] = await events("repository_update", "push", "push");
  expect(update?.["refs"]).toHaveLength(3);
  expect(update?.["changes"]).toContainEqual(expect.objectContaining({ ref: "refs/tags/v1", after: id }));
  expect(push).toMatchObject({ object_kind: "push", after: id, commits: [] });
});

test("administrators manage system hooks, their secrets stay secret, nobody else sees them", async () => {
  const [hook] = await root.SystemHooks.all();
  expect(hook).toMatchObject({ url: receiver.url, repository_update_events: true, token_present: true });
  expect(JSON.stringify(hook)).not.toContain("s3cret");
  const id = hook?.id ?? 0;
  await root.SystemHooks.test(id);
  expect((await events("project_create"))[0]).toMatchObject({ name: "Ruby" });
  const ada = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  expect(await rejection(ada.SystemHooks.all())).toBe("403 403 Forbidden");
  expect(await rejection(root.SystemHooks.create("ftp://x"))).toBe("422 Invalid url given");
  await world.restart();
  expect(await root.SystemHooks.all()).toMatchObject([{ id }]);
  await root.SystemHooks.remove(id);
  expect(await root.SystemHooks.all()).toEqual([]);
});
