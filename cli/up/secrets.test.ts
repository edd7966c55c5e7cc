import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSecrets } from "./secrets.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "secrets-"));

test("secrets are made once, kept, and readable by their owner only", async () => {
  const folder = await newFolder();
  const first = await loadSecrets(folder);
  expect(await loadSecrets(folder)).toEqual(first);
  expect((await stat(join(folder, "secrets.json"))).mode & 0o777).toBe(0o600);
  expect(first.installation).toMatch(/^[a-z0-9]{4,32}$/);
  expect(first.forgeRootToken).toMatch(/^glpat-[\w-]{20,}$/);
});

test("two data folders share no secret", async () => {
  const [one, other] = [await loadSecrets(await newFolder()), await loadSecrets(await newFolder())];
  expect(one.installation).not.toBe(other.installation);
  expect(one.redisPassword).not.toBe(other.redisPassword);
  expect(one.webhookSecret).not.toBe(other.webhookSecret);
});

test("a damaged file is an error that says what to do, and is not overwritten", async () => {
  const folder = await newFolder();
  await writeFile(join(folder, "secrets.json"), "{ torn");
  await expect(loadSecrets(folder)).rejects.toMatchObject({ code: "SECRETS_DAMAGED" });
  await expect(loadSecrets(folder)).rejects.toMatchObject({ code: "SECRETS_DAMAGED" });
});

test("secrets that an older release has made get what sign-in needs, and keep all else", async () => {
  const folder = await newFolder();
  const { sessionSecret, ...older } = await loadSecrets(folder);
  await writeFile(join(folder, "secrets.json"), JSON.stringify(older));
  const completed = await loadSecrets(folder);
  expect(completed).toEqual({ ...older, sessionSecret: expect.stringMatching(/^[\w-]{43}$/) });
  expect(completed.sessionSecret).not.toBe(sessionSecret);
  expect(await loadSecrets(folder)).toEqual(completed);
});
