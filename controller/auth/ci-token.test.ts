import { createHmac } from "node:crypto";
import { generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TryLaterError } from "#core/errors";
import { type CiIssuer, ciIssuer } from "../../test/fixtures/ci-issuer.ts";
import { CiTokens, looksLikeCiToken } from "./ci-token.ts";
import { fetchKeys } from "./fetch-keys.ts";

const audience = "https://dtaas.test";
let issuer: CiIssuer;
let tokens: CiTokens;

beforeAll(async () => {
  issuer = await ciIssuer(audience);
});
afterAll(async () => await issuer.close());
beforeEach(() => {
  issuer.broken = undefined;
  tokens = new CiTokens({ issuer: issuer.url, audiences: [audience, "http://dtaas.internal:8080"] });
});

test("a token tells whose job it is, in which project, on which ref, and until when", async () => {
  const job = await tokens.verify(await issuer.token({ ref: "tryout", ref_protected: "false" }));
  expect(job).toMatchObject({
    jobId: 501,
    pipelineId: 500,
    projectId: 2,
    projectPath: "dtaas/user1",
    ref: "tryout",
    isRefProtected: false,
    user: { id: 6, username: "user1" },
  });
  expect(job.expiresAtMs - Date.now()).toBeGreaterThan(3_500_000);
});

test("each of the platform's addresses is an audience, one of several too", async () => {
  for (const one of [
    "http://dtaas.internal:8080",
    [audience],
    ["https://vault.test", audience],
    `${audience}/`,
  ]) {
    expect((await tokens.verify(await issuer.token({}, { audience: one }))).jobId).toBe(501);
  }
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const reasons: [string, (good: string) => Promise<string> | string, RegExp][] = [
  [
    "has no signature (alg none)",
    (good) => `${part({ alg: "none", typ: "JWT" })}.${good.split(".")[1]}.`,
    /RS256|no token/,
  ],
  [
    "is signed with HS256 and the public key as the secret",
    (good) => {
      const signed = `${part({ alg: "HS256", typ: "JWT", kid: "k1" })}.${good.split(".")[1]}`;
      return `${signed}.${createHmac("sha256", issuer.publicPem).update(signed).digest("base64url")}`;
    },
    /RS256/,
  ],
  ["is for another audience", () => issuer.token({}, { audience: "https://vault.test" }), /another audience/],
  ["comes from another issuer", () => issuer.token({ iss: "https://gitlab.test" }), /did not issue/],
  ["has expired", () => issuer.token({}, { lifetimeS: 60, issuedAgoS: 300 }), /expired/],
  ["is older than a day", () => issuer.token({}, { lifetimeS: 9e5, issuedAgoS: 90_000 }), /too old/],
  [
    "was changed",
    (good) => good.replace(/\.(.{20})/, `.${part({ job_project_id: "3" }).slice(0, 20)}`),
    /refused/,
  ],
  [
    "is signed with somebody else's key",
    async () => issuer.token({}, { key: (await generateKeyPair("RS256")).privateKey }),
    /signature/,
  ],
  [
    "names a key that nobody publishes",
    async () => issuer.token({}, { key: (await generateKeyPair("RS256")).privateKey, kid: "k9" }),
    /does not publish/,
  ],
  ["runs a fork's code", () => issuer.token({ project_id: "77" }), /another project/],
  ["has an id that is none", () => issuer.token({ job_project_id: "2; drop" }), /no id/],
  [
    "has ids that are no text",
    () => issuer.token({ job_project_id: 2, project_id: 2 }),
    /usable job_project_id/,
  ],
  [
    "does not say whether its ref is protected",
    () => issuer.token({ ref_protected: "yes" }),
    /ref_protected/,
  ],
  ["has no user", () => issuer.token({ user_id: "" }), /usable user_id/],
  ["is longer than any that is issued", () => issuer.token({ sub: "x".repeat(9_000) }), /too long/],
];

test.each(reasons)("a token that %s is refused", async (_what, make, reason) => {
  const token = await make(await issuer.token());
  expect(looksLikeCiToken(token)).toBe(true);
  await expect(tokens.verify(token)).rejects.toMatchObject({
    name: "ActionNeededError",
    code: "CI_TOKEN_REFUSED",
    message: expect.stringMatching(reason),
  });
});

test("a personal access token is not taken for one of a job", () => {
  for (const token of ["glpat-abc.01.0a1b2c3", "root", "a.b.c", "eyJ", "eyJhbGciOiJub25lIn0"]) {
    expect(looksLikeCiToken(token)).toBe(false);
  }
});

test("keys are asked for once, and made-up key ids do not make them asked for again and again", async () => {
  issuer.asked = 0;
  const { privateKey } = await generateKeyPair("RS256");
  await tokens.verify(await issuer.token());
  for (const kid of ["a", "b", "c"]) {
    await expect(tokens.verify(await issuer.token({}, { key: privateKey, kid }))).rejects.toThrow(/publish/);
  }
  await tokens.verify(await issuer.token());
  expect(issuer.asked).toBe(1);
});

test.each([
  ["does not serve them", { status: 503, body: "" }],
  ["answers with a page", { status: 200, body: "<html>" }],
  ["answers without end", { status: 200, body: `{"keys":[],"x":"${"x".repeat(300_000)}"}` }],
  ["sends us elsewhere", { status: 302, body: "" }],
])(
  "while the issuer %s, a token waits rather than being refused, and the issuer has its peace",
  async (_what, broken) => {
    issuer.broken = broken;
    issuer.asked = 0;
    const token = await issuer.token();
    for (let time = 0; time < 3; time += 1) await expect(tokens.verify(token)).rejects.toThrow(TryLaterError);
    expect(issuer.asked).toBe(1);
  },
);

test("after a pause the keys are asked for again", async () => {
  let nowMs = 0;
  const ask = fetchKeys(() => nowMs);
  const options = {
    headers: new Headers(),
    method: "GET",
    redirect: "manual",
    signal: AbortSignal.timeout(5_000),
  } as const;
  issuer.broken = { status: 500, body: "" };
  await expect(ask(`${issuer.url}/oauth/discovery/keys`, options)).rejects.toThrow("500");
  issuer.broken = undefined;
  await expect(ask(`${issuer.url}/oauth/discovery/keys`, options)).rejects.toThrow(TryLaterError);
  nowMs = 5_000;
  expect((await ask(`${issuer.url}/oauth/discovery/keys`, options)).status).toBe(200);
});
