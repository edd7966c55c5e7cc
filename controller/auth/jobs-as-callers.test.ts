import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, desiredTwin, startApi } from "../../test/fixtures/api-fixture.ts";
import { type CiIssuer, ciIssuer } from "../../test/fixtures/ci-issuer.ts";
import { CiTokens } from "./ci-token.ts";
import { decide } from "./decide.ts";

let issuer: CiIssuer;
let api: ApiFixture;

beforeAll(async () => {
  issuer = await ciIssuer("http://dtaas.test");
  const ciTokens = new CiTokens({ issuer: issuer.url, audiences: ["http://dtaas.test"] });
  api = await startApi((deps) => ({ ...deps, ciTokens }));
  await api.desire("user1", [desiredTwin("tank")]);
  await api.desire("user2", [desiredTwin("pump")]);
});
afterAll(async () => {
  await api.close();
  await issuer.close();
});

const runTank = ["POST", "/twins/user1/tank/runs", { operation: "create" }] as const;

test("a job of the user's project runs an operation, in the user's name", async () => {
  const answer = await api.ask(await issuer.token(), ...runTank);
  expect(answer.status).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  const run = await api.ask(await issuer.token(), "GET", `/twins/user1/tank/runs/${id}`);
  expect(await run.json()).toMatchObject({ operation: "create", requestedBy: "user1" });
});

test("a job may not do in its project what its user may not, and roles count as they are now", async () => {
  const as = async (user: string) => {
    const id = String(api.forge.people.indexOf(user) + 1);
    return (await api.ask(await issuer.token({ user_id: id, user_login: user }), ...runTank)).status;
  };
  expect(await as("developer")).toBe(202);
  expect(await as("reporter")).toBe(403);
  expect(await as("stranger")).toBe(404);
  expect(await as("user2")).toBe(404);
});

test("a job of one project is nobody in another, even where its user is at home or administers", async () => {
  const user2 = { user_id: "7", user_login: "user2" };
  const admin = { user_id: "5", user_login: "admin" };
  for (const who of [user2, admin]) {
    const token = await issuer.token(who);
    expect((await api.ask(token, "GET", "/twins/user2/pump")).status).toBe(404);
    expect((await api.ask(token, "GET", "/status")).status).toBe(403);
    const listed = (await (await api.ask(token, "GET", "/twins")).json()) as { items: unknown[] };
    expect(listed.items).toEqual([]);
  }
  const moved = await issuer.token({ job_project_path: "dtaas/user2" }); // paths decide nothing
  expect((await api.ask(moved, "GET", "/twins/user2/pump")).status).toBe(404);
});

test("a job commits nothing, keeps no secrets and enters no workspace", async () => {
  const token = await issuer.token();
  const asked: [string, string, unknown?][] = [
    ["PUT", "/twins/user1/tank/state", { state: "stopped" }],
    ["POST", "/library/user1/changes", { changes: [{ action: "delete", path: "models/a.txt" }] }],
    ["PUT", "/users/user1/secrets/TOKEN", { value: "a value of ours" }],
    ["POST", "/workspaces/user1/open"],
  ];
  for (const [method, path, body] of asked) {
    const answer = await api.ask(token, method, path, body);
    expect([path, answer.status]).toEqual([path, 403]);
  }
});

test("on a ref that is not protected a job may at most what a developer may", () => {
  const maintainer = { project: 40, platform: 0 };
  expect(decide("delete", { ...maintainer, job: { isRefProtected: true } })).toBe("allowed");
  expect(decide("delete", { ...maintainer, job: { isRefProtected: false } })).toBe("denied");
  expect(decide("operate", { ...maintainer, job: { isRefProtected: false } })).toBe("allowed");
  expect(decide("delete", { project: 30, platform: 40, job: { isRefProtected: true } })).toBe("denied");
});

test("a refused token says why, and does not shut out others behind the same address", async () => {
  const bad = await issuer.token({}, { audience: "https://vault.test" });
  for (let time = 0; time < 25; time += 1) {
    const answer = await api.ask(bad, "GET", "/me");
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({
      code: "CI_TOKEN_REFUSED",
      detail: expect.stringMatching(/aud/),
    });
  }
  expect((await api.ask(await issuer.token(), "GET", "/me")).status).toBe(200);
});
