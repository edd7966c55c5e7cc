import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Browser } from "../testing/browser.ts";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

const people = ["ada", "bob", "cy", "dan"].map((username) => ({
  username,
  password: `${username}'s long password`,
}));
const [ada = people[0], bob = people[1], cy = people[2], dan = people[3]] = people as Required<typeof people>;

let world: ForgeWorld;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      ...people.map((each) => ({ ...each, name: each.username })),
    ],
    groups: ["team"],
    projects: [{ path: "team/one" }, { path: "team/two" }],
    members: people.map(({ username }) => ({ path: "team/one", username, accessLevel: 30 })),
  });
});

afterAll(() => world.end());
afterEach(() => {
  vi.useRealTimers();
});

async function signedIn(user: typeof ada, browser = new Browser()): Promise<Browser> {
  const form = await browser.open(`${world.forge.url}/users/sign_in`);
  const shown = await browser.send(form, "/users/sign_in", user ?? {});
  expect(shown.text).toContain("team/one");
  return browser;
}

test("whoever comes to a page of a project is asked to sign in, sees it then, and not once they have signed out", async () => {
  const { url } = world.forge;
  const browser = new Browser();
  const form = await browser.open(`${url}/team/one`);
  expect(form.url).toBe(`${url}/users/sign_in?return_to=%2Fteam%2Fone`);
  const shown = await browser.send(form, "/users/sign_in", ada);
  expect(shown.url).toBe(`${url}/team/one`);
  expect(shown.text).toContain("Nothing has been pushed yet");
  expect(shown.text).toContain('<span class="who">ada</span>');
  const home = await browser.open(`${url}/`);
  expect(home.text).toContain("team/one");
  expect(home.text).not.toContain("team/two");
  expect((await browser.open(`${url}/team/two`)).status).toBe(404);
  await browser.send(home, "/users/sign_out");
  expect((await browser.open(`${url}/team/one`)).text).toContain('name="password"');
});

test("pages run no script, stand in no frame, are not kept, and their cookie is for the browser's own eyes", async () => {
  const browser = new Browser();
  const response = await fetch(`${world.forge.url}/users/sign_in`);
  const policy = response.headers.get("content-security-policy");
  for (const part of [
    "default-src 'none'",
    "script-src 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
  ]) {
    expect(policy).toContain(part);
  }
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  const form = await browser.open(`${world.forge.url}/users/sign_in`);
  const { fields } = form.form("/users/sign_in");
  const answer = await fetch(`${world.forge.url}/users/sign_in`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded", cookie: cookiesOf(browser) },
    body: new URLSearchParams({ ...fields, ...ada }).toString(),
  });
  const cookies = answer.headers.getSetCookie().filter((line) => line.startsWith("dtaas_forge_session"));
  expect(cookies.length).toBe(2);
  for (const cookie of cookies) expect(cookie).toMatch(/httponly/i);
  for (const cookie of cookies) expect(cookie).toMatch(/samesite=lax/i);
});

test("a wrong password says nothing of who is there, and too many are refused whatever they are", async () => {
  const { url } = world.forge;
  const browser = new Browser();
  const form = await browser.open(`${url}/users/sign_in`);
  const nobody = await browser.send(form, "/users/sign_in", { username: "nobody", password: "guess guess" });
  const wrong = await browser.send(form, "/users/sign_in", { username: "dan", password: "guess guess" });
  expect([nobody.status, wrong.status]).toEqual([401, 401]);
  expect(nobody.text.replaceAll("nobody", "X")).toBe(wrong.text.replaceAll("dan", "X"));
  for (let n = 1; n < 10; n += 1) {
    const again = await browser.send(form, "/users/sign_in", { username: "dan", password: `guess ${n}` });
    expect(again.status).toBe(401);
  }
  const refused = await browser.send(form, "/users/sign_in", dan);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "600"]);
  expect(refused.text).toContain("Try again in ten minutes");
  // By git it is the same door, and others go through it.
  await expect(world.clone("team/one", "dan", dan?.password ?? "")).rejects.toThrow(/429/);
  await signedIn(bob);
});

test("many guesses at the same time get no further", async () => {
  const browser = new Browser();
  const form = await browser.open(`${world.forge.url}/users/sign_in`);
  const guesses = Array.from({ length: 30 }, (_, n) =>
    browser.send(form, "/users/sign_in", { username: "root", password: `guess ${n}` }),
  );
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(20);
});

test("a forged, altered or foreign cookie signs nobody in", async () => {
  const { url } = world.forge;
  const browser = await signedIn(ada);
  const host = new URL(url).host;
  const name = `${host} dtaas_forge_session`;
  const value = browser.cookies.get(name) ?? "";
  const signature = browser.cookies.get(`${name}.sig`) ?? "";
  const open = async (session: string, sig: string) =>
    await fetch(`${url}/team/one`, {
      redirect: "manual",
      headers: {
        accept: "text/html",
        cookie: `dtaas_forge_session=${session}; dtaas_forge_session.sig=${sig}`,
      },
    });
  expect((await open(value, signature)).status).toBe(200);
  const other = await signedIn(bob);
  const forged: [string, string][] = [
    [`${value.slice(0, -1)}${value.endsWith("x") ? "y" : "x"}`, signature],
    [value, ""],
    [value, createHmac("sha1", "guess").update(`dtaas_forge_session=${value}`).digest("base64url")],
    [value, other.cookies.get(`${name}.sig`) ?? ""],
    ["%00", "%E0"],
  ];
  for (const [session, sig] of forged) expect((await open(session, sig)).status, session).toBe(303);
});

test("a cookie that somebody has slipped in is worth nothing once its victim has signed in", async () => {
  const { url } = world.forge;
  const attacker = await signedIn(bob);
  const victim = new Browser();
  for (const [key, value] of attacker.cookies) victim.cookies.set(key, value);
  const home = await victim.open(`${url}/`);
  const { fields } = home.form("/users/sign_out");
  const shown = await victim.open(`${url}/users/sign_in`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...fields, ...ada }).toString(),
  });
  expect(shown.text).toContain('<span class="who">ada</span>');
  expect((await attacker.open(`${url}/`)).text).toContain('name="password"');
});

test("a form that is not of our pages, or of another sign-in, is refused", async () => {
  const { url } = world.forge;
  const browser = await signedIn(ada);
  const stranger = await new Browser().open(`${url}/users/sign_in`);
  const others = await (await signedIn(bob)).open(`${url}/`);
  const home = await browser.open(`${url}/`);
  const tokens = [
    undefined,
    "",
    "guess",
    stranger.form("/users/sign_in").fields["authenticity_token"],
    others.form("/users/sign_out").fields["authenticity_token"],
  ];
  const post = (body: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${url}/users/sign_out`, {
      method: "POST",
      redirect: "manual",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        cookie: cookiesOf(browser),
        ...headers,
      },
      body: new URLSearchParams(body).toString(),
    });
  for (const token of tokens) {
    expect((await post(token === undefined ? {} : { authenticity_token: token })).status, token).toBe(403);
  }
  const good = home.form("/users/sign_out").fields;
  for (const headers of [
    { origin: "http://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ]) {
    expect((await post(good, headers)).status).toBe(403);
  }
  expect((await browser.open(`${url}/`)).text).toContain("Sign out");
  expect((await post(good, { origin: url, "sec-fetch-site": "same-origin" })).status).toBe(303);
});

test("nobody is led elsewhere after signing in", async () => {
  const { url } = world.forge;
  for (const target of [
    "//evil.example",
    "https://evil.example/",
    "/\\evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
  ]) {
    const browser = new Browser();
    const form = await browser.open(`${url}/users/sign_in?${new URLSearchParams({ return_to: target })}`);
    const shown = await browser.send(form, "/users/sign_in", { ...cy, return_to: target });
    expect(new URL(shown.url).origin, target).toBe(url);
  }
});

test("sign-in outlives a restart of the forge, and ends a week after it was used last", async () => {
  const { url } = world.forge;
  const browser = await signedIn(ada);
  await world.restart();
  expect((await browser.open(`${url}/team/one`)).text).toContain("Nothing has been pushed yet");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 8 * 24 * 3600 * 1_000 });
  expect((await browser.open(`${url}/team/one`)).text).toContain('name="password"');
});

test("what lies on the disk lets nobody in", async () => {
  const browser = await signedIn(ada);
  const cookie = browser.cookies.get(`${new URL(world.forge.url).host} dtaas_forge_session`) ?? "";
  const { stdout } = spawnSync("grep", ["-rl", cookie, join(world.folder, "data")], { encoding: "utf8" });
  expect(cookie.length).toBeGreaterThan(16);
  expect(stdout).toBe("");
  expect(await readFile(join(world.folder, "data", "oidc", "cookie-keys.json"), "utf8")).not.toContain(
    cookie,
  );
});

test("another name of this machine leads to the one that cookies are for", async () => {
  const { port } = new URL(world.forge.url);
  const answer = await fetch(`${world.forge.url}/team/one`, {
    redirect: "manual",
    headers: { accept: "text/html", "x-forwarded-host": "evil.example" },
  });
  expect(answer.headers.get("location")).toMatch(/^\/users\/sign_in/);
  const named = await fetch(`http://localhost:${port}/users/sign_in`, {
    redirect: "manual",
    headers: { accept: "text/html" },
  }).catch(() => undefined); // a machine whose `localhost` is another address
  if (named) expect(named.headers.get("location")).toBe(`${world.forge.url}/users/sign_in`);
});

function cookiesOf(browser: Browser): string {
  return [...browser.cookies].map(([key, value]) => `${key.slice(key.indexOf(" ") + 1)}=${value}`).join("; ");
}
