import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { packageRoot } from "#core/package-root";
import { type RunningForge, startForge } from "#embedded/forge/start-forge";
import { Browser } from "#embedded/forge/testing/browser";
import { systemPath } from "#embedded/processes/find-command";
import { runCommand } from "#embedded/processes/run-command";
import { ForgeAdmin } from "./forge-admin.ts";
import { pushFolder } from "./push-folder.ts";
import { loadSecrets, type Secrets } from "./secrets.ts";
import { type Seeded, seed } from "./seed.ts";
import { ensureSignIn } from "./sign-in.ts";

const examples = join(packageRoot, "examples");
let folder = "";
let forge: RunningForge;
let secrets: Secrets;
let first: Seeded;

async function seedAgain(): Promise<Seeded> {
  const dataFolder = join(folder, "data");
  return seed({
    forgeUrl: forge.url,
    examples,
    dataFolder,
    secrets: await loadSecrets(dataFolder),
    onStep: () => {},
  });
}

async function git(...args: string[]): Promise<{ code: number; stdout: string; lines: string[] }> {
  const environment = { PATH: systemPath, HOME: folder, GIT_TERMINAL_PROMPT: "0" };
  return runCommand("git", args, { environment, deadlineMs: 30_000 });
}

function remote(user: string, as = user): string {
  const url = new URL(first.repositories[user] ?? "");
  url.username = as;
  url.password = first.tokens[as] ?? "";
  return url.href;
}

async function head(user: string): Promise<string | undefined> {
  return (await git("ls-remote", remote(user), "refs/heads/main")).stdout.split("\t")[0];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seed-"));
  await mkdir(join(folder, "data"));
  secrets = await loadSecrets(join(folder, "data"));
  forge = await startForge({ dataFolder: join(folder, "forge"), logger: createLogger("forge", "silent") });
  await forge.admin.ensureUser({ username: "root", name: "Administrator", admin: true });
  await forge.admin.ensureToken("root", "root", ["api"], secrets.forgeRootToken);
  first = await seedAgain();
});

afterAll(async () => {
  await forge.close();
  await rm(folder, { recursive: true, force: true });
});

test("an example user can clone what was pushed, with name and token", async () => {
  const clone = join(folder, "clone");
  expect((await git("clone", "--quiet", remote("user1"), clone)).lines).toEqual([]);
  expect(await readdir(join(clone, "digital_twins"))).toEqual(
    await readdir(join(examples, "user1", "digital_twins")),
  );
  expect(first.pushedTwins).toContain("user1/hello-world");
  expect((await git("-C", clone, "log", "--format=%an", "-1")).stdout).toBe("User 1\n");
});

test("one user sees nothing of another one's repository, and both may read the common library", async () => {
  expect((await git("ls-remote", remote("user1", "user2"))).code).not.toBe(0);
  const common = new URL(remote("user2"));
  common.pathname = "/dtaas/common.git";
  expect((await git("ls-remote", common.href, "refs/heads/main")).stdout).toContain("refs/heads/main");
});

test("of the shared repositories beside the common library one is for both users, and one for the first alone", async () => {
  const readable = async (project: string, as: string) => {
    const url = new URL(remote("user1", as));
    url.pathname = `/${project}.git`;
    return (await git("ls-remote", url.href, "refs/heads/main")).stdout.includes("refs/heads/main");
  };
  expect([
    await readable("lab/turbine-assets", "user1"),
    await readable("lab/turbine-assets", "user2"),
  ]).toEqual([true, true]);
  // A member of the group reads it through the platform; on the Git host it is nobody's but the platform's.
  expect([await readable("lab/rotor-tests", "user1"), await readable("lab/rotor-tests", "user2")]).toEqual([
    false,
    false,
  ]);
  expect(await readable("lab/rotor-tests", "dtaas-bot")).toBe(true);
  const headers = { "private-token": first.tokens["dtaas-bot"] ?? "" };
  const members = await (await fetch(`${forge.url}/api/v4/groups/rotor/members/all`, { headers })).json();
  expect((members as { username: string }[]).map(({ username }) => username).sort()).toEqual([
    "dtaas-bot",
    "root",
    "user1",
  ]);
});

test("a later start keeps the tokens and never touches what users have pushed", async () => {
  const work = join(folder, "work");
  await git("clone", "--quiet", remote("user2"), work);
  await writeFile(join(work, "mine.txt"), "mine\n");
  await git("-C", work, "add", "mine.txt");
  const author = ["-c", "user.name=User 2", "-c", "user.email=user2@users.invalid"];
  await git("-C", work, ...author, "commit", "--quiet", "-m", "docs: add mine");
  expect((await git("-C", work, "push", "--quiet")).code).toBe(0);
  const pushed = await head("user2");
  const second = await seedAgain();
  expect(second.tokens).toEqual(first.tokens);
  expect(second.pushedTwins).toEqual([]);
  expect(await head("user2")).toBe(pushed);
});

test("a token that was revoked is replaced at the next start", async () => {
  const token = first.tokens["user1"] ?? "";
  await fetch(`${forge.url}/api/v4/personal_access_tokens/self`, {
    method: "DELETE",
    headers: { "private-token": token },
  });
  const again = await seedAgain();
  expect(again.tokens["user1"]).not.toBe(token);
  expect(again.tokens["user2"]).toBe(first.tokens["user2"]);
  first = again;
});

test("a push that the forge refuses is told in git's own words, and the token is not among them", async () => {
  const author = { username: "user2", name: "User 2", token: first.tokens["user2"] ?? "" };
  const refused = pushFolder({
    folder: join(examples, "user2"),
    gitUrl: first.repositories["user1"] ?? "",
    branch: "main",
    message: "feat: somebody else's",
    author,
  });
  await expect(refused).rejects.toMatchObject({
    code: "SEED_FAILED",
    message: expect.stringContaining("git push failed"),
  });
  await expect(refused).rejects.toMatchObject({ message: expect.not.stringContaining(author.token) });
});

test("the platform is registered once for sign-in, and anew when its address has changed", async () => {
  const dataFolder = join(folder, "data");
  const admin = new ForgeAdmin(forge.url, secrets.forgeRootToken);
  const register = async (apiUrl: string) => {
    const current = await loadSecrets(dataFolder);
    await ensureSignIn(admin, { dataFolder, apiUrl, secrets: current });
    return (await loadSecrets(dataFolder)).application;
  };
  const once = await register("http://127.0.0.1:8080");
  expect(once).toEqual({ clientId: expect.any(String), secret: expect.stringMatching(/^gloas-/) });
  expect(await register("http://127.0.0.1:8080")).toEqual(once);
  const moved = await register("http://127.0.0.1:8081");
  expect(moved?.clientId).not.toBe(once?.clientId);
  const answer = await fetch(`${forge.url}/api/v4/applications`, {
    headers: { "private-token": secrets.forgeRootToken },
  });
  expect(await answer.json()).toMatchObject([{ callback_url: "http://127.0.0.1:8081/auth/callback" }]);
});

test("the users can sign in with a browser by the passwords that were made for them", async () => {
  const { accounts } = await loadSecrets(join(folder, "data"));
  const browser = new Browser();
  const form = await browser.open(`${forge.url}/`);
  const shown = await browser.send(form, "/users/sign_in", {
    username: "user1",
    password: accounts["user1"]?.password ?? "",
  });
  expect(shown.text).toContain("dtaas/user1");
  expect(shown.text).not.toContain("dtaas/user2");
});
