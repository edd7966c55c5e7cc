import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GitHubStandIn } from "#test/fixtures/github/github-stand-in";
import { furtherForgeFindings } from "./further-forge.ts";

let folder: string;
let github: GitHubStandIn;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doctor-github-"));
  github = await GitHubStandIn.start(folder);
});
afterAll(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

test("a further Git host is asked whose the token is; where there is none nothing is said", async () => {
  const settings = { DTAAS_FURTHER_FORGE_URL: github.url, DTAAS_FURTHER_FORGE_TOKEN: "ghp_neverWasGood" };
  expect(await furtherForgeFindings({})).toEqual([]);
  expect(await furtherForgeFindings(settings)).toMatchObject([
    { state: "doubtful", detail: "127.0.0.1 does not take the token" },
  ]);
  const token = github.state.addToken("dtaas-bot");
  expect(await furtherForgeFindings({ ...settings, DTAAS_FURTHER_FORGE_TOKEN: token })).toEqual([
    { name: "further Git host", state: "ok", detail: "127.0.0.1 (github) knows the platform as dtaas-bot" },
  ]);
  const half = await furtherForgeFindings({ DTAAS_FURTHER_FORGE_URL: github.url });
  expect(half).toMatchObject([
    { state: "doubtful", detail: expect.stringContaining("DTAAS_FURTHER_FORGE_TOKEN") },
  ]);
});
