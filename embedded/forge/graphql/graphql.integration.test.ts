import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;
const ids = new Map<string, string>();
const heads =
  "query($ids: [ID!]) { projects(ids: $ids) { nodes { id repository { empty tree { lastCommit { sha } } } } } }";

beforeAll(async () => {
  world = await forgeWorld();
  const { admin } = world.forge;
  await admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
      { username: "bob", name: "Bob" },
    ],
    projects: [{ path: "dtaas/ada" }, { path: "dtaas/empty" }, { path: "dtaas/hidden" }],
    members: [
      { path: "dtaas/ada", username: "ada", accessLevel: 40 },
      { path: "dtaas/empty", username: "ada", accessLevel: 40 },
      { path: "dtaas/ada", username: "bob", accessLevel: 10 },
    ],
    tokens: [
      { username: "ada", name: "t", scopes: ["read_api"], value: "glpat-ada" },
      { username: "ada", name: "git", scopes: ["write_repository"], value: "glpat-git" },
      { username: "bob", name: "t", scopes: ["api"], value: "glpat-bob" },
    ],
  });
  for (const name of ["ada", "empty", "hidden"]) {
    const { id } = await admin.ensureProject(`dtaas/${name}`);
    ids.set(name, `gid://gitlab/Project/${id}`);
  }
});

afterAll(() => world.end());

async function ask(query: string, variables: object = {}, token = "glpat-ada") {
  const answer = await fetch(`${world.forge.url}/api/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return { status: answer.status, body: (await answer.json()) as unknown };
}

test("heads of projects are told in one call and follow pushes; what is hidden or not there is left out", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-git");
  for (const text of ["one", "two"]) {
    const sha = await world.push(clone, "a.txt", text);
    const asked = { ids: [...ids.values(), "gid://gitlab/Project/999999"] };
    expect(await ask(heads, asked)).toEqual({
      status: 200,
      body: {
        data: {
          projects: {
            nodes: [
              { id: ids.get("empty"), repository: { empty: true, tree: null } },
              { id: ids.get("ada"), repository: { empty: false, tree: { lastCommit: { sha } } } },
            ],
          },
        },
      },
    });
  }
  const query =
    '{ project(fullPath: "dtaas/ADA") { fullPath repository { rootRef tree { lastCommit { title shortId } } } } }';
  const { body } = await ask(query);
  expect(body).toMatchObject({
    data: {
      project: {
        fullPath: "dtaas/ada",
        repository: { rootRef: "main", tree: { lastCommit: { title: "write a.txt" } } },
      },
    },
  });
});

test("a merge is the head, though it changes no file", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-git");
  const head = await world.git(clone, "rev-parse", "HEAD");
  const tree = await world.git(clone, "rev-parse", "HEAD^{tree}");
  const merge = await world.git(clone, "commit-tree", "-m", "merge", "-p", head, "-p", `${head}^`, tree);
  await world.git(clone, "push", "--quiet", "origin", `${merge}:refs/heads/main`);
  const { body } = await ask(heads, { ids: [ids.get("ada")] });
  expect(JSON.stringify(body)).toContain(merge);
});

test("a guest sees that there is a project, and nothing of its code", async () => {
  const { body } = await ask(heads, { ids: [ids.get("ada")] }, "glpat-bob");
  expect(body).toEqual({ data: { projects: { nodes: [{ id: ids.get("ada"), repository: null }] } } });
});

test("a list comes in pages, the newest first", async () => {
  const query =
    "query($after: String) { projects(first: 1, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } }";
  interface Page {
    data: { projects: { nodes: { id: string }[]; pageInfo: { endCursor: string; hasNextPage: boolean } } };
  }
  const first = ((await ask(query)).body as Page).data.projects;
  expect([first.nodes[0]?.id, first.pageInfo.hasNextPage]).toEqual([ids.get("empty"), true]);
  const { projects } = ((await ask(query, { after: first.pageInfo.endCursor })).body as Page).data;
  expect([projects.nodes[0]?.id, projects.pageInfo.hasNextPage]).toEqual([ids.get("ada"), false]);
});

test("unknown fields, ids of other things and tokens that are not good for it are refused in GitLab's words", async () => {
  const { status, body } = await ask("{ projects { nodes { pipelines { count } } } }");
  expect(status).toBe(200);
  expect(body).toMatchObject({
    errors: [
      {
        message: "Field 'pipelines' doesn't exist on type 'Project'",
        path: ["query", "projects", "nodes", "pipelines"],
        extensions: { code: "undefinedField", typeName: "Project", fieldName: "pipelines" },
      },
    ],
  });
  for (const [id, words] of [
    ["7", "7 is not a valid GitLab ID."],
    ["gid://gitlab/User/1", "gid://gitlab/User/1 is not a valid ID for Project."],
  ]) {
    expect((await ask(heads, { ids: [id] })).body).toMatchObject({ errors: [{ message: words }] });
  }
  for (const token of ["glpat-nobody", "glpat-git"]) {
    expect(await ask(heads, {}, token)).toEqual({
      status: 401,
      body: { errors: [{ message: "Invalid token" }] },
    });
  }
  expect((await ask(`{ ${"a: __typename ".repeat(2_000)} }`)).body).toMatchObject({ errors: [{}] });
  expect((await ask("{ broken")).body).toMatchObject({ errors: [{}] });
});
