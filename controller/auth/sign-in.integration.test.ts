import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "#core/logger";
import { Application } from "#embedded/forge/testing/application";
import { Browser, type Shown } from "#embedded/forge/testing/browser";
import { type ForgeWorld, forgeWorld } from "#embedded/forge/testing/forge-world";
import { freePort } from "#embedded/processes/free-port";
import type { Problem } from "#schemas/api";
import { type ApiFixture, desiredTwin, startApi } from "../../test/fixtures/api-fixture.ts";
import { GitLabForge } from "../forge/gitlab/gitlab-forge.ts";
import type { AppDeps } from "../http/app-deps.ts";
import { SignIn } from "./sign-in.ts";

const user1 = { username: "user1", password: "a long password" };
const user2 = { username: "user2", password: "b long password" };
const sessionSecret = "s".repeat(40);
const ours = { "x-dtaas-request": "1" };

let world: ForgeWorld;
let application: Application;
let port: number;
let publicUrl: string;
let sessions: string;
let api: ApiFixture;
let signIn: SignIn;

beforeAll(async () => {
  world = await forgeWorld();
  port = await freePort(undefined);
  publicUrl = `http://127.0.0.1:${port}`;
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { ...user1, name: "User 1" },
      { ...user2, name: "User 2" },
    ],
    projects: [{ path: "dtaas/platform" }, { path: "dtaas/user1" }, { path: "dtaas/user2" }],
    members: [
      { path: "dtaas/user1", username: "user1", accessLevel: 40 },
      { path: "dtaas/user2", username: "user2", accessLevel: 40 },
    ],
    tokens: [
      { username: "root", name: "t", scopes: ["api"], value: "glpat-root" },
      { username: "user1", name: "t", scopes: ["api"], value: "glpat-user1" },
    ],
  });
  application = await Application.register(world.forge.url, "glpat-root", {
    redirectUri: `${publicUrl}/auth/callback`,
    scopes: "openid profile email api",
    trusted: true,
  });
});
afterAll(() => world.end());

beforeEach(async () => {
  sessions = await mkdtemp(join(tmpdir(), "sessions-"));
  await start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await stop();
  await rm(sessions, { recursive: true, force: true });
});

interface Change {
  issuer?: string;
  /** The Git host only pretends, and is not where people sign in; this claim is their name there. */
  usernameClaim?: string;
}

async function start(change: Change = {}): Promise<void> {
  const real = new GitLabForge({ url: world.forge.url, token: "glpat-root" });
  const pretends = change.usernameClaim !== undefined;
  signIn = await SignIn.open({
    config: {
      issuer: change.issuer ?? world.forge.url,
      clientId: application.clientId,
      clientSecret: application.secret,
      sessionSecret,
      usernameClaim: change.usernameClaim,
    },
    publicUrl,
    forgeUrl: pretends ? "http://git.test" : world.forge.url,
    forge: pretends
      ? { whoIs: (token) => api.forge.whoIs(token), findUser: (name) => api.forge.findUser(name) }
      : real,
    folder: sessions,
    logger: createLogger("test", "silent"),
  });
  const withSignIn = (deps: AppDeps): AppDeps => ({
    ...deps,
    publicUrl,
    signIn,
    ...(!pretends && { forge: real }),
  });
  api = await startApi(withSignIn, { port });
}

async function stop(): Promise<void> {
  signIn.close();
  await api.close();
}

async function signedIn(user = user1, browser = new Browser()): Promise<Browser> {
  const form = await browser.open(`${publicUrl}/auth/login`);
  const shown = await browser.send(form, "/sign_in", user);
  expect([shown.status, shown.url]).toEqual([200, `${publicUrl}/api/v1/me`]);
  expect(JSON.parse(shown.text)).toMatchObject({ username: user.username });
  return browser;
}

function open(browser: Browser, path: string, headers: Record<string, string> = {}): Promise<Shown> {
  return browser.open(publicUrl + path, { headers: { accept: "application/json", ...headers } });
}

function send(
  browser: Browser,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: object,
) {
  return browser.open(publicUrl + path, {
    method,
    headers: { accept: "application/json", "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

function problemIn(shown: Shown): string {
  return `${shown.status} ${(JSON.parse(shown.text) as Problem).code}`;
}

const sessionCookie = () => `127.0.0.1:${port} dtaas_session`;

test("somebody signs in at the Git host and has the rights that their token would have", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  await api.desire("user2", [desiredTwin("pump")]);
  const browser = await signedIn();
  const twins = (await open(browser, "/api/v1/twins")).text;
  expect(twins).toBe(await (await api.ask("glpat-user1", "GET", "/twins")).text());
  expect(twins).toContain("tank");
  expect(twins).not.toContain("pump");
  expect(problemIn(await open(browser, "/api/v1/twins/user2/pump"))).toBe("404 NOT_FOUND");
  expect(problemIn(await open(browser, "/api/v1/status"))).toBe("403 NOT_ALLOWED");
  expect(problemIn(await open(new Browser(), "/api/v1/me"))).toBe("401 TOKEN_MISSING");
});

test("neither the browser nor the disk has a token of the Git host", async () => {
  const browser = await signedIn();
  const [name = ""] = await readdir(sessions);
  expect(name).toMatch(/^[0-9a-f]{64}\.jwe$/);
  const kept = await readFile(join(sessions, name), "utf8");
  const cookies = [...browser.cookies].filter(([key]) => key.startsWith(`127.0.0.1:${port} `));
  expect(cookies.map(([key]) => key)).toEqual([sessionCookie()]);
  const [[, value = ""] = []] = cookies;
  expect(value.length).toBeLessThan(100);
  expect(kept).not.toContain(value.split(".")[0]);
  expect(Buffer.from(kept.split(".")[3] ?? "", "base64url").toString("latin1")).not.toContain("access_token");
});

test("what changes something is done for pages of the platform only", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const browser = await signedIn();
  const path = "/api/v1/twins/user1/tank/runs";
  const run = (headers: Record<string, string>) =>
    send(browser, "POST", path, headers, { operation: "create" });
  expect((await run({ ...ours, origin: publicUrl })).status).toBe(202);
  expect((await run({ ...ours, origin: publicUrl, "sec-fetch-site": "same-origin" })).status).toBe(202);
  const foreign: Record<string, string>[] = [
    { origin: publicUrl },
    { "sec-fetch-site": "same-origin" },
    ours,
    { ...ours, origin: "http://127.0.0.1:9000" },
    { ...ours, origin: "null" },
    { ...ours, "sec-fetch-site": "same-site", origin: publicUrl },
    { ...ours, "sec-fetch-site": "cross-site", origin: publicUrl },
    { ...ours, "sec-fetch-site": "none" },
  ];
  for (const headers of foreign) {
    expect(problemIn(await run(headers)), JSON.stringify(headers)).toBe("403 FOREIGN_REQUEST");
  }
  // A program with a token is no browser.
  expect(
    (await api.ask("glpat-user1", "POST", "/twins/user1/tank/runs", { operation: "create" })).status,
  ).toBe(202);
  expect(
    problemIn(
      await open(browser, "/api/v1/me", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }),
    ),
  ).toBe("403 FOREIGN_REQUEST");
});

test("signing out ends it here, at the Git host, and for its tokens", async () => {
  const browser = await signedIn();
  const stolen = new Browser();
  for (const [key, value] of browser.cookies) stolen.cookies.set(key, value);
  const shown = await open(browser, "/auth/logout");
  expect(shown.url).toBe(`${publicUrl}/`);
  expect(browser.cookies.has(sessionCookie())).toBe(false);
  expect(await readdir(sessions)).toEqual([]);
  expect(problemIn(await open(browser, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
  expect(problemIn(await open(stolen, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
  expect((await browser.open(`${publicUrl}/auth/login`)).text).toContain('name="password"');
});

test("another page can neither sign somebody out nor in", async () => {
  const browser = await signedIn();
  const crossSite = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect(problemIn(await open(browser, "/auth/logout", crossSite))).toBe("403 FOREIGN_REQUEST");
  expect(problemIn(await send(browser, "POST", "/auth/logout", { origin: publicUrl }))).toBe(
    "403 FOREIGN_REQUEST",
  );
  expect((await open(browser, "/api/v1/me")).status).toBe(200);
  // The attacker's own code, brought to somebody who has begun nothing, or something else.
  const attacker = new Browser();
  const { url } = await attacker.open(`${publicUrl}/auth/login`);
  expect(url).toContain(world.forge.url);
  for (const query of ["code=x&state=y", "", "error=access_denied&state=z"]) {
    const victim = new Browser();
    expect(problemIn(await open(victim, `/auth/callback?${query}`)), query).toBe("400 SIGN_IN_FAILED");
    expect(problemIn(await open(victim, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
  }
});

test("a token that has ended is renewed once for all requests that need it", async () => {
  const browser = await signedIn();
  for (let hours = 2; hours <= 6; hours += 2) {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3600 * 1_000 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => open(browser, "/api/v1/me")));
    expect(
      answers.map(({ status }) => status),
      `${hours} h`,
    ).toEqual(Array.from({ length: 8 }, () => 200));
    expect((await open(browser, "/api/v1/me")).status).toBe(200);
  }
});

test("a session outlives a restart, ends after a day without use, and never lasts more than a week", async () => {
  const browser = await signedIn();
  await stop();
  await start();
  expect((await open(browser, "/api/v1/me")).status).toBe(200);
  const days = (count: number) => Date.now() + count * 24 * 3600 * 1_000;
  for (let day = 1; day <= 7; day += 1) {
    vi.useFakeTimers({ toFake: ["Date"], now: days(0.9) });
    expect((await open(browser, "/api/v1/me")).status, `use ${day}`).toBe(200);
  }
  vi.useFakeTimers({ toFake: ["Date"], now: days(0.9) });
  expect(problemIn(await open(browser, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
  const another = await signedIn(user2);
  vi.useFakeTimers({ toFake: ["Date"], now: days(1.1) });
  expect(problemIn(await open(another, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
});

test("whoever signs out of the Git host, or is blocked there, is signed out here within a minute", async () => {
  const browser = await signedIn();
  const { url } = world.forge;
  await browser.send(await browser.open(`${url}/`), "/users/sign_out");
  const laterMs = performance.now() + 61_000;
  vi.spyOn(performance, "now").mockImplementation(() => laterMs);
  expect(problemIn(await open(browser, "/api/v1/me"))).toBe("401 SIGN_IN_OVER");
  expect(browser.cookies.has(sessionCookie())).toBe(false);
  expect(problemIn(await open(browser, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
});

test("a forged or altered cookie is nobody's, and a file put in the place of another is none", async () => {
  const browser = await signedIn();
  const value = browser.cookies.get(sessionCookie()) ?? "";
  const [id = "", signature = ""] = value.split(".");
  for (const forged of [
    id,
    `${id}.`,
    `${id}x.${signature}`,
    `${id}.${signature.slice(0, -2)}`,
    `${"0".repeat(32)}.${signature}`,
    "%00",
    ".",
  ]) {
    browser.cookies.set(sessionCookie(), forged);
    expect(problemIn(await open(browser, "/api/v1/me")), forged).toBe("401 TOKEN_MISSING");
  }
  browser.cookies.set(sessionCookie(), value);
  expect((await open(browser, "/api/v1/me")).status).toBe(200);
  const [mine = ""] = await readdir(sessions);
  await signedIn(user2);
  const [others = ""] = (await readdir(sessions)).filter((name) => name !== mine);
  await writeFile(join(sessions, mine), await readFile(join(sessions, others)));
  await stop();
  await start();
  expect(problemIn(await open(browser, "/api/v1/me"))).toBe("401 TOKEN_MISSING");
});

test("nobody is led elsewhere after signing in, and a provider that is away is said to be", async () => {
  for (const target of ["https://evil.example/", "//evil.example/", "/\\evil.example"]) {
    const browser = new Browser();
    const form = await browser.open(`${publicUrl}/auth/login?${new URLSearchParams({ return_to: target })}`);
    expect((await browser.send(form, "/sign_in", user1)).url).toBe(`${publicUrl}/api/v1/me`);
  }
  const browser = new Browser();
  const form = await browser.open(`${publicUrl}/auth/login?return_to=/api/v1/twins%3Fuser%3Duser1`);
  expect((await browser.send(form, "/sign_in", user1)).url).toBe(`${publicUrl}/api/v1/twins?user=user1`);
  await stop();
  await start({ issuer: `http://127.0.0.1:${await freePort(undefined)}`, usernameClaim: "email" });
  expect(problemIn(await open(new Browser(), "/auth/login"))).toBe("503 TRY_LATER");
});

test("at another provider a claim is the name on the Git host, and what the Git host must know of wants its own token", async () => {
  await stop();
  await start({ usernameClaim: "email" });
  const email = `user1@${new URL(world.forge.url).hostname}`;
  api.forge.people.push(email);
  api.forge.level["dtaas/user1"] = { [email]: 30 };
  await api.desire("user1", [desiredTwin("tank")]);
  api.forge.files.set("dtaas/user1:digital_twins/tank/dt.yaml", {
    text: "state: running\n",
    commit: "1".repeat(40),
  });
  const browser = new Browser();
  const form = await browser.open(`${publicUrl}/auth/login`);
  expect(JSON.parse((await browser.send(form, "/sign_in", user1)).text)).toMatchObject({ username: email });
  const change = (path: string, method: string, body: object) =>
    send(browser, method, path, { ...ours, origin: publicUrl }, body);
  expect((await change("/api/v1/twins/user1/tank/runs", "POST", { operation: "create" })).status).toBe(202);
  expect(problemIn(await change("/api/v1/twins/user1/tank/state", "PUT", { state: "stopped" }))).toBe(
    "403 HOST_TOKEN_NEEDED",
  );
  const nobody = new Browser();
  const refused = await nobody.send(await nobody.open(`${publicUrl}/auth/login`), "/sign_in", user2);
  expect(problemIn(refused)).toBe("400 SIGN_IN_FAILED");
});
