import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { idTokenMinter } from "./mint-id-token.ts";
import { openSigningKeys } from "./signing-keys.ts";

const issuer = "http://forge.example";
const now = new Date("2026-03-01T12:00:00Z");

async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signing-keys-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "oidc", "signing-keys.json");
}

async function minted(
  path: string,
  claims: Record<string, unknown> = {},
  audience: string | string[] = "dtaas",
) {
  const mint = idTokenMinter(
    await openSigningKeys(path),
    () => issuer,
    () => now,
  );
  return await mint(claims, { audience, lifetimeS: 60 });
}

test("a job's token is checked with the published keys, and tells what it was given", async () => {
  const path = await newPath();
  const token = await minted(path, { sub: "project_path:dtaas/user1:ref_type:branch:ref:main", job_id: "7" });
  const { public: jwks, kid } = await openSigningKeys(path);
  const checked = await jwtVerify(token, createLocalJWKSet(jwks), {
    issuer,
    audience: "dtaas",
    currentDate: now,
  });
  const second = now.getTime() / 1_000;
  expect(checked.protectedHeader).toEqual({ alg: "RS256", kid, typ: "JWT" });
  expect(checked.payload).toMatchObject({ job_id: "7", iat: second, nbf: second - 5, exp: second + 60 });
  expect(checked.payload.jti).toMatch(/^[0-9a-f-]{36}$/);
});

test("claims cannot say who signed it, for whom, or for how long", async () => {
  const path = await newPath();
  const token = await minted(
    path,
    { iss: "http://evil.example", aud: "other", exp: 9_999_999_999, jti: "1" },
    ["a", "b"],
  );
  const { public: jwks } = await openSigningKeys(path);
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), {
    issuer,
    audience: "b",
    currentDate: now,
  });
  expect(payload).toMatchObject({ iss: issuer, aud: ["a", "b"], exp: now.getTime() / 1_000 + 60 });
  expect(payload.jti).not.toBe("1");
});

test("keys outlive a restart, show no private part, and are their owner's alone", async () => {
  const path = await newPath();
  const first = await openSigningKeys(path);
  const second = await openSigningKeys(path);
  expect(second.public).toEqual(first.public);
  expect(Object.keys(first.public.keys[0] ?? {}).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a key put in front signs, and what the old one has signed is still good", async () => {
  const path = await newPath();
  const old = await minted(path);
  const before = JSON.parse(await readFile(path, "utf8")) as { keys: object[] };
  const other = await newPath();
  await openSigningKeys(other);
  const fresh = JSON.parse(await readFile(other, "utf8")) as { keys: object[] };
  await writeFile(path, JSON.stringify({ keys: [...fresh.keys, ...before.keys] }));
  const keys = await openSigningKeys(path);
  const token = await minted(path);
  expect(decodeProtectedHeader(token).kid).toBe(keys.kid);
  expect(decodeProtectedHeader(old).kid).not.toBe(keys.kid);
  for (const each of [old, token]) {
    await jwtVerify(each, createLocalJWKSet(keys.public), { issuer, currentDate: now });
  }
});

test("keys that others may read, or that are none, are refused", async () => {
  const path = await newPath();
  await openSigningKeys(path);
  await chmod(path, 0o640);
  await expect(openSigningKeys(path)).rejects.toMatchObject({ code: "KEY_EXPOSED" });
  await chmod(path, 0o600);
  for (const text of [
    "{",
    "null",
    '{"keys":[]}',
    '{"keys":[{"kty":"RSA","n":"x","e":"AQAB"}]}',
    '{"keys":[{"kty":"RSA","n":"x","e":"AQAB","d":"y"}]}',
  ]) {
    await writeFile(path, text);
    await expect(openSigningKeys(path), text).rejects.toMatchObject({ code: "FORGE_STATE_UNREADABLE" });
  }
});
