import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import type { RemoteView } from "#schemas/remotes";
import { commitFiles, GitHttpServer, runGitIn } from "../../test/fixtures/git-http-server.ts";
import { until } from "../../test/fixtures/until.ts";
import { LibraryWorld } from "../library/testing/library-world.ts";
import type { Lookup } from "./check-remote-url.ts";
import { credentialReader } from "./read-credential.ts";
import { Remotes } from "./remotes.ts";

const logger = createLogger("test", "silent");
let world: LibraryWorld;
let other: GitHttpServer;
let remotes: Remotes;
let now = Date.parse("2026-01-01T00:00:00Z");
let counter = 0;

beforeAll(async () => {
  world = await LibraryWorld.start();
  other = await GitHttpServer.start(await world.folder("other-host"));
  other.isOpen = true;
});
afterAll(async () => {
  await other.close();
  await world.end();
});
beforeEach(async () => {
  other.redirectTo = undefined;
  other.refuseWith = undefined;
  await allow([new URL(other.origin).host]);
  remotes = await open();
});
afterEach(async () => await remotes.close());

async function allow(closed: string[]): Promise<void> {
  const { platform } = world.tracked;
  if (platform) await world.tracked.setPlatform({ ...platform, remotes: { private: closed } });
}

async function open(addressesOf?: Lookup): Promise<Remotes> {
  return await Remotes.open({
    folder: await world.folder("remotes"),
    forge: world.port,
    mirrors: world.mirrors,
    tracked: world.tracked,
    logger,
    onMoved: (path, head) => void world.moved.push(`${path} ${head}`),
    nowMs: () => now++, // each look at the clock a little later
    readCredential: credentialReader(world.port),
    ...(addressesOf ? { addressesOf } : {}),
  });
}

/** A user with a repository of their own whose workspace.yaml names one remote. */
async function newUser(remote: string, files: Record<string, string> = {}) {
  counter += 1;
  const user = `user${counter}`;
  const path = `dtaas/${user}`;
  await world.forge.admin.seed({
    projects: [{ path }],
    members: [{ path, username: "ada", accessLevel: 40 }],
  });
  await world.tracked.setProjects(await world.port.listProjects("dtaas"));
  const clone = await world.clone(path, "ada");
  await world.git(clone, "checkout", "-q", "-b", "main");
  const spec = `apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  remotes: [${remote}]\n`;
  const commit = async (all: Record<string, string>, message: string) => {
    for (const [name, content] of Object.entries(all)) await writeFile(join(clone, name), content);
    await world.git(clone, "add", "-A");
    await world.git(clone, "commit", "-q", "-m", message);
    await world.git(clone, "pull", "-q", "--rebase", "origin", "main").catch(() => undefined); // nothing there yet
    await world.git(clone, "push", "-q", "origin", "HEAD:main");
    await world.tracked.setProjects(await world.port.listProjects("dtaas"));
    const project = world.tracked.projectOf(user);
    if (project) await world.mirrors.fetch(project, world.port.gitAccess(project)); // as a webhook has it done
    return await world.git(clone, "rev-parse", "HEAD");
  };
  await commit({ "workspace.yaml": spec, ...files }, "feat: begin");
  return { user, path, commit, head: () => world.head(path) };
}

/** Asks for the remote and waits for the outcome. */
async function sync(user: string, name = "up"): Promise<RemoteView> {
  await remotes.request(user, name, { by: "ada" });
  return await outcome(user);
}

async function outcome(user: string): Promise<RemoteView> {
  const seen: RemoteView[] = [];
  await until("the remote was looked at", async () => {
    const [view] = await remotes.list(user);
    const isDone = view?.nextAt !== null && (view?.finishedAt ?? "") > (view?.requestedAt ?? "");
    if (view && isDone) seen.push(view);
    return isDone;
  });
  const [view] = seen;
  if (!view) throw new Error(`${user} has no remote`);
  return view;
}

const upstream = (files: Record<string, string>) => {
  counter += 1;
  const made = other.create(`repo${counter}`);
  if (Object.keys(files).length > 0) commitFiles(made.gitDir, files);
  return { ...made, head: () => runGitIn(made.gitDir, ["rev-parse", "main"]) };
};

test("a pull merges what is new, says who did it, and does nothing when there is nothing new", async () => {
  const there = upstream({ "shared.txt": "theirs\n" });
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: pull }`, { "own.txt": "mine\n" });
  const first = await sync(ada.user);
  expect(first).toMatchObject({ outcome: "updated", remoteCommit: there.head(), commit: await ada.head() });
  expect(world.moved).toContain(`${ada.path} ${first.commit}`);
  const { files, log } = await world.inGit(ada.path, "ada");
  expect(files.get("shared.txt")?.content.toString()).toBe("theirs\n");
  expect(files.get("own.txt")?.content.toString()).toBe("mine\n");
  expect(log[0]).toBe(`DTaaS platform <platform@dtaas.invalid>: Merge the default branch of ${there.url}`);
  expect(log).toContain("Test <test@example.org>: change");
  const before = await ada.head();
  expect(await sync(ada.user)).toMatchObject({ outcome: "unchanged", commit: before });
  expect(await ada.head()).toBe(before);
  commitFiles(there.gitDir, { "shared.txt": "newer\n" });
  expect(await sync(ada.user)).toMatchObject({ outcome: "updated" });
  expect((await world.inGit(ada.path, "ada")).files.get("shared.txt")?.content.toString()).toBe("newer\n");
});

test("a conflict names the files and changes nothing on either side", async () => {
  const there = upstream({ "a.txt": "theirs\n", "b.txt": "theirs\n", "c.txt": "same\n" });
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: pull }`, {
    "a.txt": "mine\n",
    "b.txt": "mine\n",
    "c.txt": "same\n",
  });
  const [home, remote] = [await ada.head(), there.head()];
  const seen = await sync(ada.user);
  expect(seen).toMatchObject({ outcome: "conflict", files: ["a.txt", "b.txt"] });
  expect(seen.message).toContain("a.txt and 1 more");
  expect([await ada.head(), there.head()]).toEqual([home, remote]);
});

test("a push goes forward only; what is new over there is named, and pulled before", async () => {
  const there = upstream({});
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: push }`, { "own.txt": "1\n" });
  expect(await sync(ada.user)).toMatchObject({ outcome: "updated", remoteCommit: await ada.head() });
  expect(there.head()).toBe(await ada.head());
  const newer = await ada.commit({ "own.txt": "2\n" }, "feat: more");
  expect(await sync(ada.user)).toMatchObject({ outcome: "updated" });
  expect(there.head()).toBe(newer);
  expect(await sync(ada.user)).toMatchObject({ outcome: "unchanged" });

  const tree = runGitIn(there.gitDir, ["rev-parse", "main^{tree}"]);
  const blob = runGitIn(there.gitDir, ["hash-object", "-w", "--stdin"], { input: "theirs\n" });
  const listed = runGitIn(there.gitDir, ["ls-tree", tree]);
  const extended = runGitIn(there.gitDir, ["mktree"], {
    input: `${listed}\n100644 blob ${blob}\ttheirs.txt\n`,
  });
  const theirs = runGitIn(there.gitDir, ["commit-tree", "-p", "main", "-m", "theirs", extended]);
  runGitIn(there.gitDir, ["update-ref", "refs/heads/main", theirs]);
  await ada.commit({ "own.txt": "3\n" }, "feat: more still");
  expect(await sync(ada.user)).toMatchObject({ outcome: "conflict", files: ["theirs.txt"] });
  expect(there.head()).toBe(theirs);

  const spec = `apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  remotes: [{ name: up, url: "${there.url}", direction: pull, branch: main }]\n`;
  await ada.commit({ "workspace.yaml": spec }, "feat: pull instead");
  expect(await sync(ada.user)).toMatchObject({ outcome: "updated" });
  expect((await world.inGit(ada.path, "ada")).files.has("theirs.txt")).toBe(true);
});

test("a pull brings the branch forward without a commit of its own where that is enough", async () => {
  const there = upstream({});
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: push, branch: copy }`);
  await sync(ada.user);
  const home = (await ada.head()) ?? "";
  const tree = runGitIn(there.gitDir, ["rev-parse", `${home}^{tree}`]);
  const next = runGitIn(there.gitDir, ["commit-tree", "-p", home, "-m", "theirs", tree]);
  const spec = `apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  remotes: [{ name: up, url: "${there.url}", direction: pull, branch: copy }]\n`;
  const mine = await ada.commit({ "workspace.yaml": spec }, "feat: pull instead");
  runGitIn(there.gitDir, ["update-ref", "refs/heads/copy", next]);
  const merged = await sync(ada.user);
  expect(merged.outcome).toBe("updated");
  expect(merged.commit).not.toBe(mine);
  const ahead = runGitIn(world.mirrors.path(world.tracked.projectOf(ada.user)?.id ?? 0), [
    "commit-tree",
    "-p",
    merged.commit ?? "",
    "-m",
    "later",
    `${merged.commit}^{tree}`,
  ]);
  runGitIn(there.gitDir, [
    "fetch",
    "-q",
    world.mirrors.path(world.tracked.projectOf(ada.user)?.id ?? 0),
    `${ahead}:refs/heads/copy`,
  ]);
  const forward = await sync(ada.user);
  expect(forward).toMatchObject({ outcome: "updated", commit: ahead, remoteCommit: ahead });
  expect(await ada.head()).toBe(ahead);
});

test("it is tried when its time has come, not before, and a wish that was accepted survives a crash", async () => {
  const there = upstream({ "a.txt": "1\n" });
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: pull, every: 5m }`);
  await remotes.look();
  expect((await outcome(ada.user)).outcome).toBe("updated");
  commitFiles(there.gitDir, { "a.txt": "2\n" });
  const before = other.requests;
  await remotes.look();
  expect(other.requests).toBe(before);
  now += 5 * 60_000;
  await remotes.look();
  expect((await outcome(ada.user)).commit).toBe(await ada.head());
  expect((await world.inGit(ada.path, "ada")).files.get("a.txt")?.content.toString()).toBe("2\n");

  commitFiles(there.gitDir, { "a.txt": "3\n" });
  let release = () => {};
  other.hold = new Promise((resolve) => {
    release = resolve;
  });
  await remotes.request(ada.user, "up", { by: "ada" });
  await remotes.close(); // in the middle of it
  other.hold = undefined;
  release();
  remotes = await open();
  await remotes.look();
  expect((await outcome(ada.user)).outcome).toBe("updated");
  expect((await world.inGit(ada.path, "ada")).files.get("a.txt")?.content.toString()).toBe("3\n");
});

test("a remote that would change the user's own settings, or cannot be checked out, is refused by name", async () => {
  const settings = upstream({ "workspace.yaml": "kind: Workspace\n" });
  const ada = await newUser(`{ name: up, url: "${settings.url}", direction: pull }`);
  expect((await sync(ada.user)).outcome).toBe("conflict"); // both have made one
  const ci = upstream({ ".gitlab-ci.yml": "job: { script: [env] }\n" });
  const bob = await newUser(`{ name: up, url: "${ci.url}", direction: pull }`);
  const home = await bob.head();
  expect(await sync(bob.user)).toMatchObject({ outcome: "refused", files: [".gitlab-ci.yml"] });
  const links = upstream({});
  commitFiles(links.gitDir, { "data/out": { content: "../../etc", mode: "120000" } } as never);
  const eve = await newUser(`{ name: up, url: "${links.url}", direction: pull }`);
  expect(await sync(eve.user)).toMatchObject({ outcome: "refused", files: ["data/out"] });
  expect(await bob.head()).toBe(home);
});

test("nothing is sent to a private address that is not allowed, and redirects are not followed", async () => {
  const there = upstream({ "a.txt": "1\n" });
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: pull }`);
  await allow([]);
  const before = other.requests;
  const seen = await sync(ada.user);
  expect(seen).toMatchObject({ outcome: "refused", files: ["workspace.yaml"] });
  expect(seen.message).toContain("not allowed");
  expect(other.requests).toBe(before);
  await allow([new URL(other.origin).host]);
  other.redirectTo = "http://127.0.0.1:9";
  expect((await sync(ada.user)).message).toContain("sends us elsewhere");
  other.redirectTo = undefined;
  other.refuseWith = 503;
  expect(await sync(ada.user)).toMatchObject({ outcome: "failed" });
  other.refuseWith = 404;
  expect((await sync(ada.user)).message).toContain("has no such repository");
});

test("git connects to the address that was checked, whatever the name says by then", async () => {
  const there = upstream({ "a.txt": "1\n" });
  const host = `changing.invalid:${new URL(other.origin).port}`; // resolves nowhere but here
  const url = there.url.replace(new URL(there.url).host, host);
  await allow([host]);
  await remotes.close();
  let answers = 0;
  remotes = await open(async () => {
    answers += 1;
    return [answers === 1 ? "127.0.0.1" : "192.0.2.1"];
  });
  const ada = await newUser(`{ name: up, url: "${url}", direction: pull }`);
  expect((await sync(ada.user)).outcome).toBe("updated");
  expect(answers).toBe(1);
});

test("credentials are the value of the project's variable, and it says what is missing", async () => {
  other.isOpen = false;
  try {
    const there = upstream({ "a.txt": "1\n" });
    const remote = `{ name: up, url: "${there.url}", direction: pull, credentials: PLANT_TOKEN }`;
    const ada = await newUser(remote);
    const project = world.tracked.projectOf(ada.user);
    if (!project) throw new Error("it was made just now");
    const set = (value: string, scope = "*") =>
      world.port.variables.set(project, { token: "glpat-ada", key: "PLANT_TOKEN", scope, value });
    expect((await sync(ada.user)).message).toContain("no usable variable PLANT_TOKEN");
    await set(other.password, "production");
    expect((await sync(ada.user)).message).toContain("no usable variable PLANT_TOKEN");
    await set("wrong-horse");
    expect((await sync(ada.user)).message).toContain("wants other credentials");
    await set(other.password);
    const seen = await sync(ada.user);
    expect(seen.outcome).toBe("updated");
    expect(JSON.stringify(seen)).not.toContain(other.password);
  } finally {
    other.isOpen = true;
  }
});

test("a wish for what is not named, or goes the other way, is refused", async () => {
  const there = upstream({ "a.txt": "1\n" });
  const ada = await newUser(`{ name: up, url: "${there.url}", direction: pull }`);
  await expect(remotes.request(ada.user, "upp", { by: "ada" })).rejects.toMatchObject({
    code: "REMOTE_NOT_FOUND",
    hint: "did you mean `up`?",
  });
  await expect(remotes.request(ada.user, "up", { by: "ada", direction: "push" })).rejects.toMatchObject({
    code: "REMOTE_DIRECTION",
  });
});
