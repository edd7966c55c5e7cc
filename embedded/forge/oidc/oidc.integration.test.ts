import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Application, type Tokens } from "../testing/application.ts";
import { Browser } from "../testing/browser.ts";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

const password = "correct horse battery";
const ada = { username: "ada", password };
const bob = { username: "bob", password: "another long password" };
const scopes = "openid profile email api write_repository";

let world: ForgeWorld;
let landing: Server;
let redirectUri: string;
let platform: Application;

beforeAll(async () => {
  world = await forgeWorld();
  landing = createServer((_request, response) => response.end("landed"));
  await new Promise<void>((done) => landing.listen(0, "127.0.0.1", done));
  redirectUri = `http://127.0.0.1:${(landing.address() as AddressInfo).port}/auth/callback`;
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada <Lovelace>", password },
      { username: "bob", name: "Bob", password: bob.password },
    ],
    groups: ["team/inner"],
    projects: [{ path: "team/one" }],
    members: [
      { path: "team", username: "ada", accessLevel: 30 },
      { path: "team/inner", username: "ada", accessLevel: 50 },
    ],
    tokens: [
      { username: "root", name: "t", scopes: ["api"], value: "glpat-root" },
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
    ],
  });
  platform = await Application.register(world.forge.url, "glpat-root", {
    redirectUri,
    scopes,
    trusted: true,
  });
});

afterAll(async () => {
  landing.close();
  await world.end();
});

const api = (path: string, token: string) =>
  fetch(`${world.forge.url}/api/v4${path}`, { headers: { authorization: `Bearer ${token}` } });

async function errorOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { error: string }).error}`;
}

test("the discovery document names GitLab's addresses, whatever host the request names", async () => {
  const { url } = world.forge;
  const found = await fetch(`${url}/.well-known/openid-configuration`, {
    headers: { "x-forwarded-host": "evil.example" },
  });
  expect(await found.json()).toMatchObject({
    issuer: url,
    authorization_endpoint: `${url}/oauth/authorize`,
    token_endpoint: `${url}/oauth/token`,
    userinfo_endpoint: `${url}/oauth/userinfo`,
    revocation_endpoint: `${url}/oauth/revoke`,
    introspection_endpoint: `${url}/oauth/introspect`,
    end_session_endpoint: `${url}/oauth/end_session`,
    device_authorization_endpoint: `${url}/oauth/authorize_device`,
    jwks_uri: `${url}/oauth/discovery/keys`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
    subject_types_supported: ["public"],
  });
  const [keys, same] = await Promise.all(
    ["/oauth/discovery/keys", "/-/jwks"].map(async (path) => (await fetch(url + path)).json()),
  );
  expect(keys).toEqual(same);
  expect(keys).toMatchObject({ keys: [{ kty: "RSA", use: "sig", alg: "RS256" }] });
});

test("somebody signs in to the platform once, and it may act for them", async () => {
  const { url } = world.forge;
  const browser = new Browser();
  const { url: begin, verifier } = platform.begin(scopes);
  const form = await browser.open(begin);
  expect(form.text).toContain("Sign in to The &lt;platform&gt;");
  const landed = await browser.send(form, "/sign_in", ada);
  expect(landed.text).toBe("landed");
  expect(new URL(landed.url).searchParams.get("state")).toBe("a state");

  const answer = await platform.exchange(platform.codeIn(landed), verifier);
  expect(answer.status).toBe(200);
  const tokens = (await answer.json()) as Tokens;
  expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 7200, scope: scopes });
  expect(Math.abs(tokens.created_at - Date.now() / 1_000)).toBeLessThan(30);

  const keys = createRemoteJWKSet(new URL(`${url}/oauth/discovery/keys`));
  const { payload } = await jwtVerify(tokens.id_token, keys, { issuer: url, audience: platform.clientId });
  const me = (await (await api("/user", tokens.access_token)).json()) as { id: number; username: string };
  expect(me.username).toBe("ada");
  expect(payload).toMatchObject({ sub: String(me.id), nonce: "a nonce", email_verified: true });
  expect(payload["groups_direct"]).toEqual(["team", "team/inner"]);
  expect(payload["groups"]).toBeUndefined();

  const info = await fetch(`${url}/oauth/userinfo`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  expect(await info.json()).toEqual({
    sub: String(me.id),
    name: "Ada <Lovelace>",
    nickname: "ada",
    preferred_username: "ada",
    email: expect.stringContaining("@"),
    email_verified: true,
    profile: `${url}/ada`,
    picture: "",
    groups: ["team", "team/inner"],
    "https://gitlab.org/claims/groups/owner": ["team/inner"],
    "https://gitlab.org/claims/groups/developer": ["team"],
  });

  // Next time in this browser nobody is asked anything.
  const again = platform.begin(scopes);
  expect((await browser.open(again.url)).text).toBe("landed");
});

test("the token works for REST and git as far as its scopes go, and for nothing that wants a personal one", async () => {
  const all = await platform.signIn(new Browser(), scopes, ada);
  const identity = await platform.signIn(new Browser(), "openid", ada);
  expect((await api("/projects/team%2Fone", all.access_token)).status).toBe(200);
  expect((await api("/user", identity.access_token)).status).toBe(403);
  expect((await api("/personal_access_tokens/self", all.access_token)).status).toBe(400);
  const clone = await world.clone("team/one", "oauth2", all.access_token);
  await world.push(clone, "a.txt", "by an application");
  const commits = await (await api("/projects/team%2Fone/repository/commits", all.access_token)).json();
  expect(commits).toMatchObject([{ title: "write a.txt" }]);
  await expect(world.clone("team/one", "oauth2", identity.access_token)).rejects.toThrow(/403/);
});

test("a code is good once, for its own application, with the right verifier and address", async () => {
  const browser = new Browser();
  await platform.signIn(browser, scopes, ada);
  const fresh = async () => {
    const { url, verifier } = platform.begin(scopes);
    return { code: platform.codeIn(await browser.open(url)), verifier };
  };
  const first = await fresh();
  expect(await errorOf(await platform.exchange(first.code, "x".repeat(43)))).toBe("400 invalid_grant");
  const second = await fresh();
  const elsewhere = { redirect_uri: "http://127.0.0.1:1/" };
  expect(await errorOf(await platform.exchange(second.code, second.verifier, elsewhere))).toBe(
    "400 invalid_grant",
  );
  const third = await fresh();
  const wrongSecret = { client_secret: "gloas-wrong" };
  expect(await errorOf(await platform.exchange(third.code, third.verifier, wrongSecret))).toBe(
    "401 invalid_client",
  );
  const good = await platform.exchange(third.code, third.verifier);
  expect(good.status).toBe(200);
  const { access_token } = (await good.json()) as Tokens;
  expect(await errorOf(await platform.exchange(third.code, third.verifier))).toBe("400 invalid_grant");
  // Whoever uses a code twice may have stolen it: what it has led to is no good any more.
  expect((await api("/user", access_token)).status).toBe(401);
});

test("tokens are refreshed once each; the old ones are no good, and a stolen old one ends them all", async () => {
  const first = await platform.signIn(new Browser(), scopes, ada);
  const second = (await (await platform.refresh(first.refresh_token)).json()) as Tokens;
  expect((await api("/user", first.access_token)).status).toBe(401);
  expect((await api("/user", second.access_token)).status).toBe(200);
  expect(await errorOf(await platform.refresh(first.refresh_token))).toBe("400 invalid_grant");
  expect((await api("/user", second.access_token)).status).toBe(401);
  expect(await errorOf(await platform.refresh(second.refresh_token))).toBe("400 invalid_grant");
});

test("of two refreshes at the same time one is carried out", async () => {
  const { refresh_token } = await platform.signIn(new Browser(), scopes, ada);
  const answers = await Promise.all([platform.refresh(refresh_token), platform.refresh(refresh_token)]);
  expect(answers.map((each) => each.status).sort()).toEqual([200, 400]);
});

test("JSON is taken as well, secrets in a header, and tokens are told about, taken back and asked about", async () => {
  const { url } = world.forge;
  const { access_token, refresh_token } = await platform.signIn(new Browser(), scopes, ada);
  const info = await fetch(`${url}/oauth/token/info`, {
    headers: { authorization: `Bearer ${access_token}` },
  });
  expect(await info.json()).toMatchObject({
    scope: scopes.split(" "),
    application: { uid: platform.clientId },
  });
  const basic = `Basic ${Buffer.from(`${platform.clientId}:${platform.secret}`).toString("base64")}`;
  const post = (path: string, body: object) =>
    fetch(url + path, {
      method: "POST",
      headers: { authorization: basic, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  expect(await (await post("/oauth/introspect", { token: access_token })).json()).toMatchObject({
    active: true,
  });
  const refreshed = await post("/oauth/token", { grant_type: "refresh_token", refresh_token });
  const { access_token: newest } = (await refreshed.json()) as Tokens;
  const revoked = await post("/oauth/revoke", { token: newest });
  expect([revoked.status, await revoked.json()]).toEqual([200, {}]);
  expect((await api("/user", newest)).status).toBe(401);
  expect(await (await post("/oauth/introspect", { token: newest })).json()).toEqual({ active: false });
  expect((await fetch(`${url}/oauth/token/info`)).status).toBe(401);
});

test("an application of somebody else asks first, and has nothing when the answer is no", async () => {
  const third = await Application.register(world.forge.url, "glpat-root", {
    redirectUri,
    scopes: "openid api",
  });
  const browser = new Browser();
  const begin = third.begin("openid api");
  const consent = await browser.send(await browser.open(begin.url), "/sign_in", ada);
  expect(consent.text).toContain("Allow The &lt;platform&gt;?");
  expect(consent.text).toContain("Do everything you may do");
  expect(consent.headers.get("content-security-policy")).toContain(
    `form-action 'self' ${new URL(redirectUri).origin}`,
  );
  const refused = await browser.send(consent, "/consent", { answer: "deny" });
  expect(new URL(refused.url).searchParams.get("error")).toBe("access_denied");
  const again = third.begin("openid api");
  const landed = await browser.send(await browser.open(again.url), "/consent", { answer: "allow" });
  expect((await third.exchange(third.codeIn(landed), again.verifier)).status).toBe(200);
  // It was agreed to; more has to be asked for.
  expect((await browser.open(third.begin("openid api").url)).text).toBe("landed");
  const tooMuch = await browser.open(third.begin("openid write_repository").url);
  expect(new URL(tooMuch.url).searchParams.get("error")).toBe("invalid_scope");
});

test("nobody is sent to an address that is not registered, and a program without a secret needs PKCE", async () => {
  const browser = new Browser();
  const elsewhere = await browser.open(
    platform.begin("openid", { redirect_uri: "http://evil.example/" }).url,
  );
  expect(elsewhere.status).toBe(400);
  expect(elsewhere.url).toContain(world.forge.url);
  expect(elsewhere.text).toContain("Sign-in did not work");
  const open = await Application.register(world.forge.url, "glpat-root", {
    redirectUri,
    scopes: "openid",
    confidential: false,
  });
  const without = new URL(open.begin("openid").url);
  without.searchParams.delete("code_challenge");
  without.searchParams.delete("code_challenge_method");
  const refused = await browser.open(without.href);
  expect(new URL(refused.url).searchParams.get("error")).toBe("invalid_request");
});

test("a program without a browser shows a code that somebody enters", async () => {
  const { url } = world.forge;
  const tool = await Application.register(url, "glpat-root", {
    redirectUri,
    scopes: "openid api",
    confidential: false,
  });
  const begun = await fetch(`${url}/oauth/authorize_device`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ client_id: tool.clientId, scope: "openid api" }).toString(),
  });
  const { device_code, user_code, verification_uri } = (await begun.json()) as Record<string, string>;
  expect(verification_uri).toBe(`${url}/oauth/device`);
  const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
  const ask = () =>
    fetch(`${url}/oauth/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        grant_type,
        client_id: tool.clientId,
        device_code: device_code ?? "",
      }).toString(),
    });
  expect(await errorOf(await ask())).toBe("400 authorization_pending");
  const browser = new Browser();
  const wrong = await browser.send(await browser.open(verification_uri ?? ""), "/oauth/device", {
    user_code: "WRNG-CODE",
  });
  expect(wrong.text).toContain("This code is not good");
  const confirm = await browser.send(wrong, "/oauth/device", { user_code: user_code ?? "" });
  expect(confirm.text).toContain(user_code);
  const consent = await browser.send(await browser.send(confirm, "/oauth/device"), "/sign_in", ada);
  const done = await browser.send(consent, "/consent", { answer: "allow" });
  expect(done.text).toContain("The program goes on by itself");
  expect((await ask()).status).toBe(200);
});

test("sign-in, tokens and applications outlive a restart of the forge", async () => {
  const browser = new Browser();
  const { access_token, refresh_token } = await platform.signIn(browser, scopes, ada);
  await world.restart();
  expect((await api("/user", access_token)).status).toBe(200);
  expect((await browser.open(platform.begin(scopes).url)).text).toBe("landed");
  expect((await platform.refresh(refresh_token)).status).toBe(200);
});

test("signing out at the application's wish ends the sign-in here, and its tokens", async () => {
  const { url } = world.forge;
  const browser = new Browser();
  const tokens = await platform.signIn(browser, scopes, ada);
  const back = `${new URL(redirectUri).origin}/`;
  const parameters = new URLSearchParams({
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: back,
    state: "s",
  });
  const landed = await browser.open(`${url}/oauth/end_session?${parameters}`);
  expect([landed.text, landed.url]).toEqual(["landed", `${back}?state=s`]);
  expect((await api("/user", tokens.access_token)).status).toBe(401);
  expect((await browser.open(platform.begin(scopes).url)).text).toContain('name="password"');
});

test("a page that only knows the application cannot sign anybody out without being asked", async () => {
  const { url } = world.forge;
  const browser = new Browser();
  const mine = await platform.signIn(browser, scopes, ada);
  const others = await platform.signIn(new Browser(), scopes, bob);
  for (const hint of [{}, { id_token_hint: others.id_token }]) {
    const parameters = new URLSearchParams({ client_id: platform.clientId, ...hint });
    const asked = await browser.open(`${url}/oauth/end_session?${parameters}`);
    expect(asked.text).toContain("asks to sign you out");
    expect((await api("/user", mine.access_token)).status).toBe(200);
  }
  const asked = await browser.open(`${url}/oauth/end_session?client_id=${platform.clientId}`);
  expect((await browser.send(asked, "/confirm", { logout: "yes" })).text).toContain("Signed out");
  expect((await api("/user", mine.access_token)).status).toBe(401);
});

test("who is blocked, or gets a new password, is signed out everywhere; so is everybody when the application goes", async () => {
  const { url } = world.forge;
  const admin = (method: string, path: string, body?: object) =>
    fetch(`${url}/api/v4${path}`, {
      method,
      headers: { "private-token": "glpat-root", "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
  const browser = new Browser();
  const first = await platform.signIn(browser, scopes, bob);
  const [{ id }] = (await (await admin("GET", "/users?username=bob")).json()) as [{ id: number }];
  await admin("PUT", `/users/${id}`, { password: "a third long password" });
  expect((await api("/user", first.access_token)).status).toBe(401);
  expect((await browser.open(platform.begin(scopes).url)).text).toContain('name="password"');
  const bobsNew = { username: "bob", password: "a third long password" };
  const second = await platform.signIn(browser, scopes, bobsNew);
  await admin("POST", `/users/${id}/block`);
  expect((await api("/user", second.access_token)).status).toBe(401);
  await admin("POST", `/users/${id}/unblock`);
  const gone = await Application.register(url, "glpat-root", { redirectUri, scopes, trusted: true });
  const third = await gone.signIn(new Browser(), scopes, bobsNew);
  expect((await admin("DELETE", `/applications/${gone.id}`)).status).toBe(204);
  expect((await api("/user", third.access_token)).status).toBe(401);
});

test("applications are an administrator's, and wrong ones are refused in GitLab's words", async () => {
  const post = (token: string, body: object) =>
    fetch(`${world.forge.url}/api/v4/applications`, {
      method: "POST",
      headers: { "private-token": token, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const good = { name: "n", redirect_uri: redirectUri, scopes: "openid" };
  expect((await post("glpat-ada", good)).status).toBe(403);
  expect(await (await post("glpat-root", { ...good, name: undefined })).json()).toEqual({
    error: "name is missing",
  });
  for (const wrong of [
    { redirect_uri: "javascript:alert(1)" },
    { redirect_uri: "http://a/#b" },
    { scopes: "sudo" },
  ]) {
    expect((await post("glpat-root", { ...good, ...wrong })).status, JSON.stringify(wrong)).toBe(400);
  }
  const listed = await (await api("/applications", "glpat-root")).text();
  expect(listed).toContain(platform.clientId);
  expect(listed).not.toContain(platform.secret);
});
