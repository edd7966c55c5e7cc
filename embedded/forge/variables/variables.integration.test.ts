import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
      { username: "dev", name: "Developer" },
      { username: "stranger", name: "Stranger" },
    ],
    projects: [{ path: "dtaas/ada" }],
    members: [
      { path: "dtaas/ada", username: "ada", accessLevel: 40 },
      { path: "dtaas/ada", username: "dev", accessLevel: 30 },
    ],
    tokens: ["root", "ada", "dev", "stranger"].map((username) => ({
      username,
      name: "laptop",
      scopes: ["api"],
      value: `glpat-${username}`,
    })),
  });
});
afterAll(async () => await world.end());

async function ask(who: string | undefined, method: string, path: string, body?: unknown) {
  const response = await fetch(`${world.forge.url}/api/v4/${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(who === undefined ? {} : { "private-token": `glpat-${who}` }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const ofProject = "projects/dtaas%2Fada/variables";
const ofGroup = "groups/dtaas/variables";

test("a variable has GitLab's shape, and its defaults", async () => {
  const made = await ask("ada", "POST", ofProject, { key: "SHAPE", value: "x" });
  const shape = {
    variable_type: "env_var",
    key: "SHAPE",
    value: "x",
    protected: false,
    masked: false,
    hidden: false,
    raw: false,
    environment_scope: "*",
    description: null,
  };
  expect(made).toEqual({ status: 201, body: shape });
  expect(await ask("ada", "GET", `${ofProject}/SHAPE`)).toEqual({ status: 200, body: shape });
  const change = { value: "y", description: "what for", protected: true };
  expect(await ask("ada", "PUT", `${ofProject}/SHAPE`, change)).toEqual({
    status: 200,
    body: { ...shape, ...change },
  });
  expect((await ask("ada", "DELETE", `${ofProject}/SHAPE`)).status).toBe(204);
  expect(await ask("ada", "GET", `${ofProject}/SHAPE`)).toEqual({
    status: 404,
    body: { message: "404 Variable Not Found" },
  });
});

test("those of a project are for its maintainers, those of a group for its owners", async () => {
  await ask("ada", "POST", ofProject, { key: "RIGHTS", value: "x" });
  for (const [who, project, group] of [
    [undefined, 401, 401],
    ["stranger", 404, 404],
    ["dev", 403, 403],
    ["ada", 200, 403],
    ["root", 200, 200],
  ] as const) {
    const seen = [(await ask(who, "GET", ofProject)).status, (await ask(who, "GET", ofGroup)).status];
    // A private project or group is not there for a stranger without a token, either.
    expect([who, ...seen.map((status) => (who === undefined && status === 404 ? 401 : status))]).toEqual([
      who,
      project,
      group,
    ]);
  }
  for (const [method, path, body] of [
    ["POST", ofProject, { key: "NEW", value: "x" }],
    ["PUT", `${ofProject}/RIGHTS`, { value: "y" }],
    ["DELETE", `${ofProject}/RIGHTS`, undefined],
    ["GET", `${ofProject}/RIGHTS`, undefined],
  ] as const) {
    expect([method, (await ask("dev", method, path, body)).status]).toEqual([method, 403]);
  }
  expect((await ask("root", "POST", ofGroup, { key: "OF_GROUP", value: "x" })).status).toBe(201);
  expect((await ask("ada", "GET", `${ofProject}/OF_GROUP`)).status).toBe(404); // inherited ones are not listed
});

test("one key may have a value for each scope, and then the scope has to be told", async () => {
  for (const environment_scope of ["*", "production", "review/*"]) {
    const made = await ask("ada", "POST", ofProject, {
      key: "SCOPED",
      value: environment_scope,
      environment_scope,
    });
    expect(made.status).toBe(201);
  }
  expect(
    await ask("ada", "POST", ofProject, { key: "SCOPED", value: "again", environment_scope: "production" }),
  ).toEqual({
    status: 400,
    body: { message: { key: ["(SCOPED) has already been taken"] } },
  });
  expect((await ask("ada", "GET", `${ofProject}/SCOPED`)).status).toBe(409);
  const path = `${ofProject}/SCOPED?filter[environment_scope]=review/*`;
  expect((await ask("ada", "GET", path)).body).toMatchObject({ value: "review/*" });
  const filter = { environment_scope: "production" };
  expect((await ask("ada", "PUT", `${ofProject}/SCOPED`, { value: "new", filter })).body).toMatchObject({
    value: "new",
    environment_scope: "production",
  });
  expect((await ask("ada", "DELETE", `${ofProject}/SCOPED`, { filter })).status).toBe(204);
  expect((await ask("ada", "GET", `${ofProject}/SCOPED?filter[environment_scope]=production`)).status).toBe(
    404,
  );
});

test("a hidden value is told to nobody, and can only be replaced", async () => {
  const made = await ask("ada", "POST", ofProject, {
    key: "HIDDEN",
    value: "hidden-value",
    masked_and_hidden: true,
  });
  expect(made).toMatchObject({ status: 201, body: { value: null, masked: true, hidden: true } });
  expect((await ask("root", "GET", `${ofProject}/HIDDEN`)).body).toMatchObject({ value: null });
  expect((await ask("ada", "PUT", `${ofProject}/HIDDEN`, { masked: false })).body).toEqual({
    message: { base: ["The visibility setting cannot be changed for masked and hidden variables."] },
  });
  expect((await ask("ada", "PUT", `${ofProject}/HIDDEN`, { value: "another-value" })).status).toBe(200);
});

test.each([
  [{ key: "K" }, { error: "value is missing" }],
  [{ value: "v" }, { error: "key is missing" }],
  [{ key: "A-B", value: "v" }, { message: { key: ["can contain only letters, digits and '_'."] } }],
  [{ key: "x".repeat(256), value: "v" }, { message: { key: ["is too long (maximum is 255 characters)"] } }],
  [
    { key: "K", value: "v".repeat(10_001) },
    { message: { value: ["is too long (maximum is 10000 characters)"] } },
  ],
  [{ key: "K", value: "short", masked: true }, { message: { value: ["is invalid"] } }],
  [{ key: "K", value: "two words", masked: true }, { message: { value: ["is invalid"] } }],
  [{ key: "K", value: "dollar$dollar", masked: true }, { message: { value: ["is invalid"] } }],
  [{ key: "K", value: "v", variable_type: "text" }, { error: "variable_type does not have a valid value" }],
  [{ key: "K", value: "v", protected: "perhaps" }, { error: "protected is invalid" }],
])("what cannot be a variable is refused in GitLab's words: %j", async (body, answer) => {
  expect(await ask("ada", "POST", ofProject, body)).toEqual({ status: 400, body: answer });
});

test("where references are not expanded, more values can be masked", async () => {
  const made = await ask("ada", "POST", ofProject, {
    key: "RAW",
    value: "dollar$dollar",
    masked: true,
    raw: true,
  });
  expect(made.status).toBe(201);
});

test("the client of the platform reads and writes them", async () => {
  const gitlab = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  await gitlab.ProjectVariables.create("dtaas/ada", "CLIENT", "one", { environmentScope: "a/*" });
  const filter = { filter: { environment_scope: "a/*" } };
  await gitlab.ProjectVariables.edit("dtaas/ada", "CLIENT", "two", filter as never);
  const all = await gitlab.ProjectVariables.all("dtaas/ada");
  expect(all.find(({ key }) => key === "CLIENT")).toMatchObject({ value: "two", environment_scope: "a/*" });
  await gitlab.ProjectVariables.remove("dtaas/ada", "CLIENT", filter as never);
  expect((await gitlab.ProjectVariables.all("dtaas/ada")).map(({ key }) => key)).not.toContain("CLIENT");
});

test("they are on disk for the forge's own account alone, there after a restart, and gone with their project", async () => {
  await world.forge.admin.seed({ projects: [{ path: "dtaas/passing" }] });
  await ask("root", "POST", "projects/dtaas%2Fpassing/variables", { key: "KEPT", value: "until then" });
  await world.restart();
  expect((await ask("root", "GET", "projects/dtaas%2Fpassing/variables/KEPT")).body).toMatchObject({
    value: "until then",
  });
  const folder = join(world.folder, "data", "state", "variables");
  for (const name of await readdir(folder)) {
    if (name.endsWith(".json")) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  }
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  await ask("root", "DELETE", "projects/dtaas%2Fpassing");
  await expect
    .poll(async () => {
      const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
      const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
      return texts.some((text) => text.includes("until then"));
    })
    .toBe(false);
});
