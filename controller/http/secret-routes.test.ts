import { afterEach, beforeEach, expect, test } from "vitest";
import type { Items, Problem, SecretChange, SecretView } from "#schemas/api";
import { OpenApiChecker } from "#schemas/openapi-checker";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";
import { openApiDocument } from "./openapi.ts";

const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const value = "a value that nobody may find";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  api.looks.set("user1", {
    declared: [
      { twin: "tank", name: "TOKEN" },
      { twin: "pump", name: "TOKEN" },
      { twin: "pump", name: "GONE" },
    ],
    problems: new Map([["GONE", "the secret `GONE` has no value"]]),
    files: ["SEALED"],
  });
});
afterEach(async () => await api.close());

async function ask<T>(who: string, method: string, path: string, body?: unknown) {
  const response = await api.ask(who, method, path, body);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const plain = path.split("?", 1)[0] ?? "";
  expect(checker.problems({ method, path: plain, status: response.status, type, body: text })).toEqual([]);
  expect(text).not.toContain(value);
  expect(api.logged.join("")).not.toContain(value);
  return { status: response.status, body: JSON.parse(text) as T };
}

const path = "/users/user1/secrets";

test("a maintainer sets a secret; the project is looked at, who did it is in the log, the value nowhere", async () => {
  const made = await ask<SecretChange>("maintainer", "PUT", `${path}/TOKEN`, { value });
  expect(made.body).toEqual({
    user: "user1",
    name: "TOKEN",
    scope: "*",
    change: "created",
    declaredBy: ["tank", "pump"],
    remark: null,
  });
  expect(api.forge.held).toMatchObject([{ key: "TOKEN", value, scope: "*", of: "dtaas/user1" }]);
  expect(api.nudgedProjects).toEqual(["dtaas/user1"]);
  expect(JSON.parse(api.logged.at(-1) ?? "")).toMatchObject({
    audit: "secret-created",
    project: "dtaas/user1",
    secretName: "TOKEN",
    by: "maintainer",
  });
  expect((await ask<SecretChange>("maintainer", "PUT", `${path}/TOKEN`, { value })).body.change).toBe(
    "replaced",
  );
});

test("a secret can be for one twin", async () => {
  const made = await ask<SecretChange>("maintainer", "PUT", `${path}/TOKEN?twin=tank`, { value });
  expect(made.body).toMatchObject({ scope: "dtaas/tank", declaredBy: ["tank"] });
  expect((await ask("maintainer", "DELETE", `${path}/TOKEN`)).status).toBe(404);
  expect((await ask<SecretChange>("maintainer", "DELETE", `${path}/TOKEN?twin=tank`)).body.change).toBe(
    "deleted",
  );
  expect(api.forge.held).toEqual([]);
});

test("the list tells where secrets come from and what is wrong with them, never a value", async () => {
  await ask("maintainer", "PUT", `${path}/TOKEN`, { value });
  await ask("maintainer", "PUT", `${path}/SEALED`, { value });
  await ask("maintainer", "PUT", `${path}/PIN`, { value: "1234" });
  const { body } = await ask<Items<SecretView>>("maintainer", "GET", path);
  expect(
    body.items.map(({ name, origin, declaredBy, remark }) => [name, origin, declaredBy.join(), remark]),
  ).toEqual([
    ["GONE", "none", "pump", "the secret `GONE` has no value"],
    ["PIN", "variable", "", "it has fewer than 8 characters, too few to take it out of logs everywhere"],
    ["SEALED", "variable", "", null],
    ["SEALED", "file", "", "the file counts, not the CI/CD variable of the same name"],
    ["TOKEN", "variable", "tank,pump", null],
  ]);
});

test("a short value is taken, and it is said what it is worth", async () => {
  const { body } = await ask<SecretChange>("maintainer", "PUT", `${path}/PIN`, { value: "1234" });
  expect(body.remark).toContain("fewer than 8 characters");
});

test("rotation replaces what is there and makes nothing", async () => {
  const missing = await ask<Problem>("maintainer", "PUT", `${path}/TOKEN?mustExist=true`, { value });
  expect([missing.status, missing.body.code]).toEqual([404, "SECRET_NOT_FOUND"]);
  await ask("maintainer", "PUT", `${path}/TOKEN`, { value });
  const near = await ask<Problem>("maintainer", "PUT", `${path}/TOKN?mustExist=true`, { value });
  expect(near.body.hint).toBe("did you mean `TOKEN`?");
  expect(
    (await ask("maintainer", "PUT", `${path}/TOKEN?mustExist=true`, { value: "another one" })).status,
  ).toBe(200);
  expect(api.forge.held).toHaveLength(1);
});

test("what the Git host refuses is said on without the value, whatever it has repeated", async () => {
  const refused = `refuse ${value}`;
  const { status, body } = await ask<Problem>("maintainer", "PUT", `${path}/TOKEN`, { value: refused });
  expect([status, body.code, body.detail]).toEqual([
    422,
    "VARIABLE_REFUSED",
    '"[redacted secret]" will not do',
  ]);
  expect(api.nudgedProjects).toEqual([]);
});

test.each([
  ["an empty value", `${path}/TOKEN`, { value: "" }],
  ["no value", `${path}/TOKEN`, {}],
  ["a value that is no text", `${path}/TOKEN`, { value: { a: 1 } }],
  ["a value with NUL", `${path}/TOKEN`, { value: "a\0b" }],
  ["more characters than a variable holds", `${path}/TOKEN`, { value: "x".repeat(10_001) }],
  ["a name that is none", `${path}/1TOKEN`, { value: "x" }],
  ["a name of the platform's", `${path}/DT_TOKEN`, { value: "x" }],
  ["a twin that cannot be one", `${path}/TOKEN?twin=*`, { value: "x" }],
])("%s is refused", async (_what, where, body) => {
  expect(await ask<Problem>("maintainer", "PUT", where, body)).toMatchObject({
    status: 400,
    body: { code: "BAD_REQUEST" },
  });
  expect(api.forge.held).toEqual([]);
});

test("the longest value that a variable holds is taken, in any script", async () => {
  expect((await ask("maintainer", "PUT", `${path}/LONG`, { value: "é".repeat(10_000) })).status).toBe(200);
});

test("members are told what to seal to; without a key of the runner it is said that there is none", async () => {
  const { body } = await ask<{ project: string; publicKey: string }>(
    "reporter",
    "GET",
    "/users/user1/sealing-key",
  );
  expect(body).toMatchObject({ project: "dtaas/user1", publicKey: expect.stringMatching(/^age1/) });
});
