import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

const project = "plant/tank";
let world: ForgeWorld;
let ada: InstanceType<typeof Gitlab>;
let now = new Date("2026-05-01T12:00:00Z");

beforeAll(async () => {
  world = await forgeWorld({ clock: () => now });
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
      { username: "bob", name: "Bob" },
    ],
    projects: [{ path: project }, { path: "plant/pump" }, { path: "other/secret" }],
    members: [
      { path: "plant", username: "ada", accessLevel: 50 },
      { path: project, username: "bob", accessLevel: 30 },
    ],
    tokens: [
      { username: "root", name: "t", scopes: ["api"], value: "glpat-root" },
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
      { username: "bob", name: "t", scopes: ["api"], value: "glpat-bob" },
    ],
  });
  ada = as("glpat-ada");
  await world.push(await world.clone(project, "ada", "glpat-ada"), "a.txt", "a");
});

afterAll(() => world.end());

function as(token: string) {
  return new Gitlab({ host: world.forge.url, token });
}

interface Made {
  id: number;
  token: string;
  user_id: number;
}

async function call<T>(
  token: string,
  method: "POST" | "GET" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await fetch(`${world.forge.url}/api/v4/${path}`, {
    method,
    headers: { "private-token": token, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, ...(text.startsWith("{") && (JSON.parse(text) as object)) } as T;
}

test("a project token is a bot that works on its project by REST and by git, and on no other", async () => {
  const made = (await ada.ProjectAccessTokens.create(project, "robot", ["api"], "2027-01-01", {
    accessLevel: 30,
  })) as unknown as Made;
  expect(made).toMatchObject({ name: "robot", access_level: 30, scopes: ["api"], active: true });
  const robot = as(made.token);
  expect(await robot.Users.showCurrentUser()).toMatchObject({ id: made.user_id, name: "robot", bot: true });
  expect((await robot.Users.showCurrentUser()).username).toMatch(/^project_\d+_bot_/);
  expect((await robot.Projects.all({ membership: true })).map((each) => each.path_with_namespace)).toEqual([
    project,
  ]);
  expect(await rejection(robot.Projects.show("plant/pump"))).toBe("404 404 Project Not Found");
  const clone = await world.clone(project, "robot", made.token);
  const id = await world.push(clone, "robot.txt", "beep");
  expect(await robot.Commits.editStatus(project, id, "success", { name: "dt/x" })).toMatchObject({
    author: { id: made.user_id },
  });
  expect(await rejection(robot.Projects.create({ name: "own" }))).toMatch(/^400/);
  expect(await rejection(robot.Groups.create("own", "own"))).toBe("403 403 Forbidden");
  expect((await ada.ProjectMembers.all(project)).map((each) => each.id)).toContain(made.user_id);
});

test("a project token of a scope that only reads does not push, and one that has expired does nothing", async () => {
  const path = "projects/plant%2Ftank/access_tokens";
  const made = await call<Made>("glpat-ada", "POST", path, {
    name: "reader",
    scopes: ["read_repository"],
    access_level: 40,
    expires_at: "2026-05-02",
  });
  const clone = await world.clone(project, "any", made.token);
  await expect(world.push(clone, "x.txt", "x")).rejects.toThrow(/403/);
  expect(await rejection(as(made.token).Projects.show(project))).toBe("403 insufficient_scope");
  now = new Date("2026-05-02T00:00:00Z");
  await expect(world.clone(project, "any", made.token)).rejects.toThrow(/Authentication failed/);
  now = new Date("2026-05-01T12:00:00Z");
});

test("a project token is rotated and revoked, and what it did still bears its name", async () => {
  const path = "projects/plant%2Ftank/access_tokens";
  const body = { name: "turner", scopes: ["api"], access_level: 30 };
  const made = await call<Made>("glpat-ada", "POST", path, body);
  const next = await call<Made>("glpat-ada", "POST", `${path}/${made.id}/rotate`);
  expect(next).toMatchObject({ user_id: made.user_id, name: "turner", access_level: 30 });
  expect(await rejection(as(made.token).Users.showCurrentUser())).toBe("401 invalid_token");
  expect(await as(next.token).Projects.show(project)).toMatchObject({ path: "tank" });
  expect(await call("glpat-ada", "DELETE", `${path}/${next.id}`)).toMatchObject({ status: 204 });
  expect(await rejection(as(next.token).Users.showCurrentUser())).toBe("401 invalid_token");
  expect((await ada.ProjectMembers.all(project)).map((each) => each.id)).not.toContain(made.user_id);
  expect(await ada.Users.show(made.user_id)).toMatchObject({ name: "turner", bot: true });
});

test("nobody makes a token above themselves, nor below a Maintainer, nor with a token", async () => {
  const path = "projects/plant%2Ftank/access_tokens";
  const body = { name: "x", scopes: ["api"], access_level: 50 };
  expect(await call("glpat-bob", "POST", path, body)).toMatchObject({ status: 403 });
  await world.forge.admin.ensureMember(project, "bob", 40);
  expect(await call("glpat-bob", "POST", path, body)).toMatchObject({ status: 400 });
  const bot = await call<Made>("glpat-bob", "POST", path, { ...body, access_level: 40 });
  expect(await call(bot.token, "POST", path, { ...body, access_level: 10 })).toMatchObject({ status: 400 });
  expect(await call("glpat-ada", "POST", path, { name: "x", scopes: ["sudo"] })).toMatchObject({
    status: 400,
    error: "scopes does not have a valid value",
  });
});

test("a deploy token reads its project by git, with its own user name only", async () => {
  const path = "projects/plant%2Ftank/deploy_tokens";
  const made = await call<Made & { username: string }>("glpat-ada", "POST", path, {
    name: "reader",
    scopes: ["read_repository"],
  });
  expect(made).toMatchObject({ status: 201, username: `gitlab+deploy-token-${made.id}`, expired: false });
  const clone = await world.clone(project, made.username, made.token);
  await expect(world.push(clone, "x.txt", "x")).rejects.toThrow(/403/);
  await expect(world.clone(project, "ada", made.token)).rejects.toThrow(/Authentication failed/);
  await expect(world.clone("plant/pump", made.username, made.token)).rejects.toThrow(
    /not found|could not be found/,
  );
  expect(await rejection(as(made.token).Users.showCurrentUser())).toBe("401 401 Unauthorized");
  expect(await call("glpat-bob", "GET", `${path}/${made.id}`)).not.toHaveProperty("token");
  expect(await call("glpat-ada", "DELETE", `${path}/${made.id}`)).toMatchObject({ status: 204 });
  await expect(world.clone(project, made.username, made.token)).rejects.toThrow(/Authentication failed/);
});

test("a group's deploy token reads every project in it until it expires, and none outside", async () => {
  const made = await call<Made>("glpat-ada", "POST", "groups/plant/deploy_tokens", {
    name: "all",
    username: "robot",
    scopes: ["read_repository"],
    expires_at: "2026-06-01T00:00:00Z",
  });
  await world.clone(project, "robot", made.token);
  await world.clone("plant/pump", "robot", made.token);
  await expect(world.clone("other/secret", "robot", made.token)).rejects.toThrow(
    /not found|could not be found/,
  );
  const registry = await call<Made>("glpat-ada", "POST", "groups/plant/deploy_tokens", {
    name: "images",
    username: "images",
    scopes: ["read_registry"],
  });
  await expect(world.clone(project, "images", registry.token)).rejects.toThrow(/403/);
  now = new Date("2026-06-01T00:00:00Z");
  await expect(world.clone(project, "robot", made.token)).rejects.toThrow(/Authentication failed/);
  now = new Date("2026-05-01T12:00:00Z");
});

test("tokens of machines outlive a restart, end with their project, and lie on disk only as hashes", async () => {
  const path = "projects/plant%2Fpump";
  const scopes = ["read_repository"];
  const bot = await call<Made>("glpat-ada", "POST", `${path}/access_tokens`, {
    name: "b",
    scopes,
    access_level: 20,
  });
  const deploy = await call<Made>("glpat-ada", "POST", `${path}/deploy_tokens`, {
    name: "d",
    username: "d",
    scopes,
  });
  await world.restart();
  await world.clone("plant/pump", "d", deploy.token);
  await world.clone("plant/pump", "b", bot.token);
  const state = join(world.folder, "data/state");
  const files = await readdir(state, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files.filter((each) => each.isFile()).map((each) => readFile(join(each.parentPath, each.name), "utf8")),
  );
  expect(texts.filter((text) => text.includes(bot.token) || text.includes(deploy.token))).toEqual([]);
  await as("glpat-ada").Projects.remove("plant/pump");
  expect(await rejection(as(bot.token).Users.showCurrentUser())).toBe("401 401 Unauthorized");
  expect(await call("glpat-root", "GET", `users/${bot.user_id}`)).toMatchObject({ status: 404 });
});
