import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";
import { tokenScopes } from "../tokens/access-token.ts";

let world: ForgeWorld;
let root: InstanceType<typeof Gitlab>;

function as(token: string) {
  return new Gitlab({ host: world.forge.url, token });
}

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.ensureUser({ username: "root", name: "Administrator", admin: true });
  await world.forge.admin.ensureToken("root", "root", [...tokenScopes], "root-token-root-token");
  root = as("root-token-root-token");
});

afterAll(() => world.end());

async function newUser(username: string, scopes: string[] = ["api"]) {
  const user = await root.Users.create({
    username,
    name: username.toUpperCase(),
    email: `${username}@example.org`,
    password: `${username}-password`,
    skipConfirmation: true,
  });
  const path = `users/${user.id}/personal_access_tokens`;
  const made = await root.Users.requester.post(path, { body: { name: "test", scopes } });
  const token = (made.body as unknown as { token: string }).token;
  return { id: user.id, token, gitlab: as(token) };
}

test("an administrator makes users and tokens, and a token tells who it belongs to", async () => {
  const ada = await newUser("ada");
  expect(await ada.gitlab.Users.showCurrentUser()).toMatchObject({
    username: "ada",
    name: "ADA",
    email: "ada@example.org",
    state: "active",
    web_url: `${world.forge.url}/ada`,
  });
  expect(await root.Users.showCurrentUser()).toMatchObject({ username: "root", is_admin: true });
  expect(await root.Users.all({ username: "ada" })).toMatchObject([{ id: ada.id }]);
  expect(await ada.gitlab.PersonalAccessTokens.show()).toMatchObject({ scopes: ["api"], active: true });
  expect(await ada.gitlab.Metadata.show()).toMatchObject({ version: "19.3.0", enterprise: false });
});

test("a name or address that is taken, a short password and a stranger are refused in GitLab's words", async () => {
  const bob = await newUser("bob");
  const user = { name: "Bob", password: "long-enough", skipConfirmation: true };
  const taken = root.Users.create({ ...user, username: "BOB", email: "b2@example.org" });
  expect(await rejection(taken)).toBe("409 Username has already been taken");
  const address = root.Users.create({ ...user, username: "bob2", email: "bob@example.org" });
  expect(await rejection(address)).toBe("409 Email has already been taken");
  const short = root.Users.create({ ...user, username: "bob3", email: "b3@example.org", password: "x" });
  expect(await rejection(short)).toMatch(/^400 .*too short/);
  const byOther = bob.gitlab.Users.create({ ...user, username: "bob4", email: "b4@example.org" });
  expect(await rejection(byOther)).toBe("403 403 Forbidden");
  expect(await rejection(as("no-such-token").Users.showCurrentUser())).toBe("401 401 Unauthorized");
  expect((await fetch(`${world.forge.url}/api/v4/user`)).status).toBe(401);
});

test("a revoked token, a blocked user and a scope that does not reach are refused", async () => {
  const eve = await newUser("eve");
  const reader = await newUser("reader", ["read_api"]);
  expect(await rejection(reader.gitlab.Groups.create("x", "x"))).toBe("403 insufficient_scope");
  await root.Users.block(eve.id);
  expect(await rejection(eve.gitlab.Users.showCurrentUser())).toMatch(/^403 403 Forbidden - Your account/);
  await root.Users.unblock(eve.id);
  await eve.gitlab.Users.requester.delete("personal_access_tokens/self");
  expect(await rejection(eve.gitlab.Users.showCurrentUser())).toBe("401 invalid_token");
});

test("neither tokens nor passwords lie on disk as they are", async () => {
  const max = await newUser("max");
  const state = join(world.folder, "data/state");
  const files = await readdir(state, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files.filter((each) => each.isFile()).map((each) => readFile(join(each.parentPath, each.name), "utf8")),
  );
  expect(texts.some((text) => text.includes('"max"'))).toBe(true);
  expect(texts.filter((text) => text.includes(max.token) || text.includes("max-password"))).toEqual([]);
});

test("an administrator acts as somebody else with sudo, nobody else does", async () => {
  const sue = await newUser("sue");
  const acting = new Gitlab({ host: world.forge.url, token: "root-token-root-token", sudo: "sue" });
  expect(await acting.Users.showCurrentUser()).toMatchObject({ id: sue.id });
  const trying = new Gitlab({ host: world.forge.url, token: sue.token, sudo: "root" });
  expect(await rejection(trying.Users.showCurrentUser())).toMatch(/^403/);
});

test("groups nest, are listed in pages, and hide from those who are not in them", async () => {
  const ann = await newUser("ann");
  const zoe = await newUser("zoe");
  const outer = await ann.gitlab.Groups.create("Lab", "lab");
  const inner = await ann.gitlab.Groups.create("Inner", "inner", { parentId: outer.id });
  expect(inner).toMatchObject({ full_path: "lab/inner", full_name: "Lab / Inner", parent_id: outer.id });
  expect(await ann.gitlab.Groups.show("lab/inner")).toMatchObject({ id: inner.id });
  expect(await ann.gitlab.Groups.allSubgroups("lab")).toMatchObject([{ id: inner.id }]);
  expect(await rejection(zoe.gitlab.Groups.show("lab"))).toBe("404 404 Group Not Found");
  expect(await rejection(ann.gitlab.Groups.create("Again", "lab"))).toMatch(/^400 .*has already been taken/);
});

test("members are added, listed with inherited ones, changed and removed", async () => {
  const own = await newUser("own");
  const dev = await newUser("dev");
  await own.gitlab.Groups.create("Team", "team");
  const project = await own.gitlab.Projects.create({
    name: "Plant",
    namespaceId: (await own.gitlab.Groups.show("team")).id,
  });
  expect(await rejection(dev.gitlab.Projects.show("team/plant"))).toBe("404 404 Project Not Found");
  await own.gitlab.ProjectMembers.add(project.id, 30, { userId: dev.id });
  expect(await rejection(own.gitlab.ProjectMembers.add(project.id, 30, { userId: dev.id }))).toBe(
    "409 Member already exists",
  );
  expect(await dev.gitlab.Projects.show("team/plant")).toMatchObject({
    id: project.id,
    permissions: { project_access: { access_level: 30 }, group_access: null },
  });
  expect(await own.gitlab.ProjectMembers.all(project.id)).toMatchObject([{ username: "dev" }]);
  const all = await own.gitlab.ProjectMembers.all(project.id, { includeInherited: true });
  expect(all.map((each) => [each.username, each.access_level])).toEqual([
    ["dev", 30],
    ["own", 50],
  ]);
  const inherited = own.gitlab.ProjectMembers.show(project.id, own.id, { includeInherited: true });
  expect(await inherited).toMatchObject({ access_level: 50 });
  expect(await rejection(own.gitlab.ProjectMembers.show(project.id, own.id))).toBe("404 404 Not found");
  expect(await own.gitlab.ProjectMembers.edit(project.id, dev.id, 20)).toMatchObject({ access_level: 20 });
  expect(await rejection(dev.gitlab.ProjectMembers.edit(project.id, dev.id, 50))).toBe("403 403 Forbidden");
  await own.gitlab.ProjectMembers.remove(project.id, dev.id);
  expect(await rejection(dev.gitlab.Projects.show(project.id))).toMatch(/^404/);
});

test("people, tokens, groups and members are the same after a restart, and identifiers are not given twice", async () => {
  const kim = await newUser("kim");
  await root.Users.remove(kim.id);
  await world.restart();
  expect(await root.Users.all({ username: "ada" })).toHaveLength(1);
  expect(await root.GroupMembers.all("team")).toMatchObject([{ username: "own", access_level: 50 }]);
  const lee = await newUser("lee");
  expect(lee.id).toBeGreaterThan(kim.id);
});
