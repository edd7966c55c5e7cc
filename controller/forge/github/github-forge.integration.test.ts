import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runGitIn } from "#test/fixtures/git-http-server";
import { GitHubStandIn } from "#test/fixtures/github/github-stand-in";
import { type Permission, writeFiles } from "#test/fixtures/github/github-state";
import { openPull } from "#test/fixtures/github/pull-routes";
import type { ForgeProject } from "../forge.ts";
import { type ForgeStage, forgeContract } from "../forge-contract.ts";
import { type MergeRequestStage, mergeRequestContract } from "../merge-request-contract.ts";
import { GitHubForge } from "./github-forge.ts";
import { withoutKey } from "./hooks.ts";

let github: GitHubStandIn;
let folder: string;
let stage: ForgeStage;

const permissionOf: Record<number, Permission> = { 20: "pull", 30: "push", 40: "maintain", 50: "admin" };
// What the contract calls events, as GitHub calls them.
const events: Record<string, string> = {
  push: "push",
  merge_requests: "pull_request",
  note: "issue_comment",
  tag_push: "create",
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "github-forge-"));
  github = await GitHubStandIn.start(folder);
  const { state } = github;
  state.addOrg("contract", "read").members.set("dtaas-bot", "admin");
  const token = state.addToken("dtaas-bot");
  stage = {
    forge: new GitHubForge({ url: `${github.url}/`, token }),
    withBadToken: new GitHubForge({ url: github.url, token: "ghp_neverWasGood" }),
    group: "contract",
    groupLevel: 20,
    maxDescription: 140,
    createProject: async (path) => void state.addRepo(path),
    archiveProject: async (path) => {
      state.repo(path).archived = true;
    },
    push: async (path, files) => github.push(path, files),
    read: async (path, commit, file) => show(path, commit, file),
    files: async (path) => {
      const listed = git(path, ["ls-tree", "-r", "-z", "main"]).split("\0").filter(Boolean);
      return Object.fromEntries(
        listed.map((line) => {
          const [, mode, id = "", file = ""] = /^(\d+) blob (\w+)\t(.*)$/s.exec(line) ?? [];
          return [file, { content: show(path, id), executable: mode === "100755" }];
        }),
      );
    },
    commitsBetween: async (path, from, to) => Number(git(path, ["rev-list", "--count", `${from}..${to}`])),
    createUser: async (username) => ({ id: state.addUser(username).id, token: state.addToken(username) }),
    addMember: async (path, username, level) => {
      const org = state.orgs.get(path);
      const permission = permissionOf[level] ?? "pull";
      if (!org) return void state.repo(path).collaborators.set(username, permission);
      // All members have the organisation's level; more of it comes from a team.
      org.members.set(username, "member");
      const team = org.teams.get(permission) ?? { members: new Set(), permission };
      org.teams.set(permission, team);
      team.members.add(username);
    },
    revokeTokens: async (username) => state.users.get(username)?.tokens.clear(),
    hooks: async (path) =>
      state.repo(path).hooks.map(({ id, config, events: has }) => ({
        ...{ id, url: withoutKey(config.url) },
        events: Object.keys(events).filter((event) => has.includes(events[event] ?? "")),
      })),
    addHook: async (path, url, wanted) => {
      const config = { url, content_type: "json", insecure_ssl: "0" };
      const has = wanted.map((event) => events[event] ?? event);
      state.repo(path).hooks.push({ id: state.nextId(), active: true, events: has, config });
    },
    addVariable: async () => undefined,
    unprotect: async () => undefined,
    readsGroup: async (may) => {
      const org = state.orgs.get("contract");
      if (org) org.isOpen = may;
    },
  };
});

afterAll(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

function git(path: string, args: string[]): string {
  return runGitIn(github.state.repo(path).gitDir, args);
}

/** The bytes of a blob, or of a file at a commit. */
function show(path: string, commit: string, file?: string): Buffer {
  const name = file === undefined ? commit : `${commit}:${file}`;
  return execFileSync("git", ["cat-file", "blob", name], { cwd: github.state.repo(path).gitDir });
}

let reviewed = 0;

const mergeRequestStage = (): MergeRequestStage => {
  const { state } = github;
  const somebody = state.addUser("octo-admin");
  const pullOf = ({ path }: ForgeProject, iid: number) => {
    const pull = state.repo(path).pulls.find(({ number }) => number === iid);
    if (!pull) throw new Error(`no pull request ${iid}`);
    return pull;
  };
  const comment = (body: string) => {
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    return { id: state.nextId(), body, author: somebody, createdAt: at, updatedAt: at };
  };
  return {
    forge: stage.forge.mergeRequests,
    createProject: async (files) => {
      reviewed += 1;
      const path = `contract/reviewed-${reviewed}`;
      state.addRepo(path);
      writeFiles(state.repo(path), "main", files);
      return (await stage.forge.project(path)) as ForgeProject;
    },
    propose: async ({ path }, branch, files) => {
      const repo = state.repo(path);
      const head = writeFiles(repo, branch, files);
      const isThere = branch === "main" || repo.pulls.some((pull) => pull.head === branch);
      if (isThere) return { iid: 0, head };
      const title = `Change of ${branch}`;
      return { iid: openPull(repo, { author: somebody, head: branch, base: "main", title }).number, head };
    },
    say: async (project, iid, body) => void pullOf(project, iid).comments.push(comment(body)),
    resolve: async (project, iid, discussion) => {
      const thread = pullOf(project, iid).threads.find(({ id }) => id === discussion);
      if (thread) thread.resolvedBy = somebody;
    },
    close: async (project, iid) => {
      pullOf(project, iid).state = "CLOSED";
    },
    token: async ({ path }) => {
      state.repo(path).collaborators.set("proposer", "push");
      return state.addToken("proposer");
    },
    makesResults: true,
  };
};

forgeContract(() => stage, { variables: false });
mergeRequestContract(mergeRequestStage);

let fresh = 0;
async function project(isPrivate = true): Promise<ForgeProject> {
  fresh += 1;
  const path = `contract/own-${fresh}`;
  github.state.addRepo(path, isPrivate);
  github.push(path, { a: "1" });
  return (await stage.forge.project(path)) as ForgeProject;
}

test("values of variables can be read, of secrets the names only; those of environments are for these alone", async () => {
  const { id, path, ...rest } = await project();
  const repo = github.state.repo(path);
  repo.variables.set("PLACE", "hall 3");
  repo.secrets.add("PASSWORD");
  repo.environments.set("dtaas/tank", {
    variables: new Map([["PLACE", "hall 4"]]),
    secrets: new Set(["KEY"]),
  });
  const org = github.state.orgs.get("contract");
  org?.variables.set("SHARED", "of all");
  const plain = { kind: "variable", protected: false, masked: false, scope: "*", of: path };
  const listed = await stage.forge.variables.list({ id, path, ...rest });
  expect(listed).toEqual({
    unreadable: [],
    defaultBranchIsProtected: false,
    variables: [
      { ...plain, key: "PLACE", value: "hall 3" },
      { ...plain, key: "PASSWORD", value: undefined, masked: true },
      { ...plain, key: "PLACE", value: "hall 4", scope: "dtaas/tank" },
      { ...plain, key: "KEY", value: undefined, masked: true, scope: "dtaas/tank" },
      { ...plain, key: "SHARED", value: "of all", of: "contract" },
    ],
  });
  await stage.readsGroup(false);
  expect(await stage.forge.variables.list({ id, path, ...rest })).toMatchObject({ unreadable: ["contract"] });
  await stage.readsGroup(true);
});

test("a secret is not written where nobody could read it back; a variable is removed by who may write", async () => {
  const made = await project();
  const { variables } = stage.forge;
  github.state.repo(made.path).variables.set("PLACE", "hall 3");
  github.state.repo(made.path).collaborators.set("writer", "push");
  const token = github.state.addToken("writer");
  const change = { token, key: "PLACE", scope: "*", value: "not to be repeated" };
  const refused = await variables.set(made, change).catch((error: unknown) => error as Error);
  expect(refused).toMatchObject({ code: "SECRETS_NOT_READABLE" });
  expect(String(refused)).not.toContain("repeated");
  expect(await variables.remove(made, change)).toBe(true);
  expect(await variables.remove(made, change)).toBe(false);
});

test("who may read a public repository like everybody else is no member of it", async () => {
  const made = await project(false);
  const stranger = github.state.addUser("passer-by");
  expect(await stage.forge.accessLevel(made, stranger.id)).toBe(0);
  github.state.repo(made.path).collaborators.set("passer-by", "triage");
  expect(await stage.forge.accessLevel(made, stranger.id)).toBe(20);
  expect(await stage.forge.isPrivate(made)).toBe(false);
});

test("members of a team are those of a part of the organisation; owners may do all", async () => {
  const org = github.state.orgs.get("contract");
  github.state.addUser("turner");
  org?.members.set("turner", "member");
  org?.teams.set("turbines", { members: new Set(["turner", "dtaas-bot"]), permission: "pull" });
  expect(await stage.forge.members({ group: "contract/turbines" })).toEqual([
    { username: "turner", accessLevel: 20 },
    { username: "dtaas-bot", accessLevel: 50 },
  ]);
  expect(await stage.forge.members({ group: "contract/nobody" })).toBeUndefined();
});

test("an organisation of more than one page is listed whole, and what did not change is not sent again", async () => {
  const { state } = github;
  state.addOrg("many", "read").members.set("dtaas-bot", "admin");
  for (let n = 0; n < 105; n += 1) state.addRepo(`many/user${n}`);
  const asked = github.asked.length;
  const lists = () => github.asked.slice(asked).filter(({ path }) => path.includes("/orgs/many/repos"));
  expect(new Set((await stage.forge.listProjects("many")).map(({ path }) => path)).size).toBe(105);
  expect(lists().map(({ status }) => status)).toEqual([200, 200]);
  expect(await stage.forge.listProjects("many")).toHaveLength(105);
  expect(lists().map(({ status }) => status)).toEqual([200, 200, 304, 304]);
});

test("heads of 105 repositories come in three questions", async () => {
  const { state } = github;
  const projects = await stage.forge.listProjects("many");
  const head = github.push("many/user7", { a: "seven" });
  const before = github.asked.length;
  const heads = await stage.forge.heads(projects);
  expect(github.asked.slice(before).map(({ path }) => path)).toEqual(Array(3).fill("/api/graphql"));
  expect([...heads].filter(([, id]) => id !== undefined)).toEqual([[state.repo("many/user7").id, head]]);
});

test("a repository that was renamed is not at its old path", async () => {
  const made = await project();
  const repo = github.state.repo(made.path);
  repo.name = "renamed";
  expect(await stage.forge.project(made.path)).toBeUndefined();
});

test("a limit that ends beyond the budget is later, with its time; one without a time, too; a refusal is none", async () => {
  const made = await project();
  const forge = () => new GitHubForge({ url: github.url, token: github.state.addToken("dtaas-bot") });
  const reset = Math.ceil(Date.now() / 1_000) + 600;
  const message = "You have exceeded a secondary rate limit";
  try {
    const primary = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(reset) };
    github.answerWith = { status: 403, headers: primary, body: { message } };
    const limited = forge();
    const later = await limited.project(made.path).catch((error: unknown) => error);
    expect(later).toMatchObject({ name: "TryLaterError", retryAfterMs: expect.any(Number) });
    expect((later as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(500_000);
    const count = github.asked.length;
    await expect(limited.head(made)).rejects.toMatchObject({ name: "TryLaterError" });
    expect(github.asked.length).toBe(count); // the limit is the account's: nothing is sent until then

    const documentation_url =
      "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits";
    github.answerWith = { status: 403, headers: {}, body: { message, documentation_url } };
    await expect(forge().project(made.path)).rejects.toMatchObject({
      name: "TryLaterError",
      retryAfterMs: expect.any(Number),
    });
    github.answerWith = { status: 403, headers: {}, body: { message: "Resource not accessible" } };
    await expect(forge().project(made.path)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
    github.answerWith = {
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<html>sign in</html>",
    };
    await expect(forge().project(made.path)).rejects.toMatchObject({ code: "FORGE_ANSWER_ODD" });
  } finally {
    github.answerWith = undefined;
  }
  expect(await forge().project(made.path)).toEqual(made);
});

test("a commit that is dated back counts from when it was first seen", async () => {
  const made = await project();
  const repo = github.state.repo(made.path);
  writeFiles(repo, "old", { a: "2" });
  const { number } = openPull(repo, {
    author: github.state.addUser("author"),
    head: "old",
    base: "main",
    title: "x",
  });
  const env = { GIT_AUTHOR_DATE: "2020-01-01T00:00:00Z", GIT_COMMITTER_DATE: "2020-01-01T00:00:00Z" };
  const args = ["commit-tree", "-m", "old", "-p", "refs/heads/old", "refs/heads/old^{tree}"];
  const commit = runGitIn(repo.gitDir, args, { env });
  runGitIn(repo.gitDir, ["update-ref", "refs/heads/old", commit]);
  const { since, version } = await stage.forge.mergeRequests.diff(made, number);
  expect(version.head).toBe(commit);
  expect(Date.now() - Date.parse(since)).toBeLessThan(60_000);
  expect((await stage.forge.mergeRequests.diff(made, number)).since).toBe(since);
});
