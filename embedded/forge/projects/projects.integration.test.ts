import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

let world: ForgeWorld;
let ada: InstanceType<typeof Gitlab>;
let bob: InstanceType<typeof Gitlab>;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
      { username: "bob", name: "Bob" },
    ],
    groups: ["dtaas"],
    members: [{ path: "dtaas", username: "ada", accessLevel: 50 }],
    tokens: [
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
      { username: "bob", name: "t", scopes: ["api"], value: "glpat-bob" },
    ],
  });
  ada = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  bob = new Gitlab({ host: world.forge.url, token: "glpat-bob" });
});

afterAll(() => world.end());

test("a project is private and empty at first, and is found by number and by path", async () => {
  const group = await ada.Groups.show("dtaas");
  const project = await ada.Projects.create({ name: "Water Tank", namespaceId: group.id });
  expect(project).toMatchObject({
    path_with_namespace: "dtaas/water-tank",
    name_with_namespace: "dtaas / Water Tank",
    visibility: "private",
    empty_repo: true,
    default_branch: null,
    http_url_to_repo: `${world.forge.url}/dtaas/water-tank.git`,
    namespace: { kind: "group", full_path: "dtaas" },
  });
  expect((await ada.Projects.show("dtaas/water-tank")).id).toBe(project.id);
  expect((await ada.Projects.show(project.id)).path).toBe("water-tank");
  expect(await rejection(ada.Projects.create({ name: "Water Tank", namespaceId: group.id }))).toMatch(
    /^400 .*has already been taken/,
  );
});

test("the first branch pushed to an empty project becomes its default", async () => {
  await world.forge.admin.ensureProject("dtaas/other");
  const clone = await world.clone("dtaas/other", "ada", "glpat-ada");
  await world.git(clone, "switch", "--quiet", "-c", "trunk");
  await world.push(clone, "a.txt", "a");
  expect(await ada.Projects.show("dtaas/other")).toMatchObject({
    default_branch: "trunk",
    empty_repo: false,
  });
  const again = await world.clone("dtaas/other", "ada", "glpat-ada");
  expect(await world.git(again, "branch", "--show-current")).toBe("trunk");
});

test("a public project is seen by all, a private one by members only", async () => {
  await ada.Projects.create({ name: "Open", visibility: "public", initializeWithReadme: true });
  expect((await bob.Projects.show("ada/open")).visibility).toBe("public");
  expect((await bob.Projects.all()).map((each) => each["path_with_namespace"])).toEqual(["ada/open"]);
  expect(await bob.Projects.all({ membership: true })).toEqual([]);
  const stranger = await fetch(`${world.forge.url}/api/v4/projects/ada%2Fopen`);
  expect(await stranger.json()).toMatchObject({ path: "open", default_branch: "main" });
  expect((await fetch(`${world.forge.url}/api/v4/projects/dtaas%2Fother`)).status).toBe(404);
});

test("lists come in pages that the client follows to the end", async () => {
  for (let number = 1; number <= 25; number++) await world.forge.admin.ensureProject(`many/p${number}`);
  await world.forge.admin.ensureMember("many", "ada", 20);
  const all = await ada.Groups.allProjects("many", { perPage: 10, orderBy: "id", sort: "asc" });
  expect(all.map((each) => each.path)).toEqual(Array.from({ length: 25 }, (_, index) => `p${index + 1}`));
  const second = await fetch(
    `${world.forge.url}/api/v4/groups/many/projects?per_page=10&page=2&simple=true&private_token=glpat-ada`,
  );
  expect(Object.fromEntries(second.headers)).toMatchObject({
    "x-page": "2",
    "x-per-page": "10",
    "x-next-page": "3",
    "x-prev-page": "1",
    "x-total": "25",
    "x-total-pages": "3",
  });
  expect(second.headers.get("link")).toMatch(/[?&]page=3[^>]*>; rel="next"/);
  expect(second.headers.get("link")).not.toContain("glpat-ada");
});

test("a project is renamed, archived against pushes, and deleted", async () => {
  await world.forge.admin.ensureProject("dtaas/old");
  const renamed = await ada.Projects.edit("dtaas/old", { path: "new", description: "moved" });
  expect(renamed).toMatchObject({ path_with_namespace: "dtaas/new", description: "moved" });
  const clone = await world.clone("dtaas/new", "ada", "glpat-ada");
  await ada.Projects.archive("dtaas/new");
  await expect(world.push(clone, "a.txt", "a")).rejects.toThrow(/403/);
  await ada.Projects.unarchive("dtaas/new");
  await world.push(clone, "b.txt", "b");
  await ada.Projects.remove("dtaas/new");
  expect(await rejection(ada.Projects.show("dtaas/new"))).toBe("404 404 Project Not Found");
});

test("what GitLab has and this forge has not says so, what nobody has is not found", async () => {
  expect(await rejection(ada.Issues.all({ projectId: "dtaas/other" }))).toMatch(
    /^501 501 Not Implemented: issues/,
  );
  expect(await rejection(ada.Issues.all({ projectId: "dtaas/other" }))).toMatch(/^501/);
  // Jobs are locked up in containers: without an engine there is nowhere to run one.
  expect(await rejection(ada.Pipelines.create("dtaas/other", "main"))).toMatch(/^501.*container engine/);
  const unknown = await fetch(`${world.forge.url}/api/v4/nonsense`);
  expect([unknown.status, await unknown.json()]).toEqual([404, { error: "404 Not Found" }]);
  expect(unknown.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});

test("a body that cannot be read is refused and the forge lives on", async () => {
  const post = (body: string, type = "application/json") =>
    fetch(`${world.forge.url}/api/v4/projects`, {
      method: "POST",
      headers: { "private-token": "glpat-ada", "content-type": type },
      body,
    });
  expect((await post("{broken")).status).toBe(400);
  expect((await post('{"name": {"deep": 1}}')).status).toBe(400);
  expect((await post("name=Form&visibility=public", "application/x-www-form-urlencoded")).status).toBe(201);
  expect(await (await post('{"__proto__": {"name": "x"}}')).json()).toMatchObject({
    error: expect.stringContaining("missing"),
  });
});

test("projects are the same after a restart", async () => {
  const before = await ada.Projects.all({ membership: true });
  await world.restart();
  expect(await ada.Projects.all({ membership: true })).toEqual(before);
});
