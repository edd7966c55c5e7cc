import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ForgeWorld, forgeWorld, hookReceiver } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

const project = "dtaas/ada";
let world: ForgeWorld;
let ada: InstanceType<typeof Gitlab>;
let bob: InstanceType<typeof Gitlab>;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada", email: "ada@example.org" },
      { username: "bob", name: "Bob" },
    ],
    projects: [{ path: project }],
    members: [
      { path: project, username: "ada", accessLevel: 40 },
      { path: project, username: "bob", accessLevel: 20 },
    ],
    tokens: [
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
      { username: "bob", name: "t", scopes: ["api"], value: "glpat-bob" },
    ],
  });
  ada = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  bob = new Gitlab({ host: world.forge.url, token: "glpat-bob" });
});

afterAll(() => world.end());

test("a commit with several actions makes the first branch, and git sees it", async () => {
  const commit = await ada.Commits.create(project, "main", "Start\n\nCo-authored-by: Bob <bob@example.org>", [
    { action: "create", filePath: "readme.md", content: "hello\n" },
    {
      action: "create",
      filePath: "twins/tank/dt.yaml",
      content: Buffer.from("a: 1\n").toString("base64"),
      encoding: "base64",
    },
    { action: "create", filePath: "twins/tank/run", content: "#!/bin/sh\n", ...{ executeFilemode: true } },
  ] as Parameters<typeof ada.Commits.create>[3]);
  expect(commit).toMatchObject({
    title: "Start",
    author_name: "Ada",
    author_email: "ada@example.org",
    parent_ids: [],
    trailers: { "Co-authored-by": "Bob <bob@example.org>" },
    stats: { additions: 3, deletions: 0, total: 3 },
  });
  const clone = await world.clone(project, "ada", "glpat-ada");
  expect(await world.git(clone, "rev-parse", "HEAD")).toBe(commit.id);
  expect(await world.git(clone, "ls-files", "--stage", "twins/tank/run")).toMatch(/^100755/);
  expect(await readFile(join(clone, "twins/tank/dt.yaml"), "utf8")).toBe("a: 1\n");
  expect(await world.git(clone, "fsck", "--strict")).not.toMatch(/error|missing/);
});

test("files are moved, changed and removed together or not at all", async () => {
  const before = await ada.Branches.show(project, "main");
  const broken = ada.Commits.create(project, "main", "half", [
    { action: "create", filePath: "new.txt", content: "x" },
    { action: "update", filePath: "missing.txt", content: "x" },
  ]);
  expect(await rejection(broken)).toBe("400 A file with this name doesn't exist");
  expect((await ada.Branches.show(project, "main")).commit.id).toBe(before.commit.id);
  await ada.Commits.create(project, "main", "reorder", [
    { action: "move", previousPath: "readme.md", filePath: "docs/read me.md" },
    { action: "update", filePath: "twins/tank/run", content: "#!/bin/sh\nexit 0\n" },
    { action: "chmod", filePath: "twins/tank/dt.yaml", execute_filemode: true },
    { action: "create", filePath: 'od"d/ü\\.txt', content: "odd" },
    { action: "create", filePath: "twins/tank/new", content: "#!/bin/sh\n" },
    { action: "chmod", filePath: "twins/tank/new", execute_filemode: true },
  ] as Parameters<typeof ada.Commits.create>[3]);
  const tree = await ada.Repositories.allRepositoryTrees(project, { recursive: true });
  expect(tree.map((each) => [each.mode, each.path])).toEqual([
    ["040000", "docs"],
    ["040000", 'od"d'],
    ["040000", "twins"],
    ["040000", "twins/tank"],
    ["100644", "docs/read me.md"],
    ["100644", 'od"d/ü\\.txt'],
    ["100755", "twins/tank/dt.yaml"],
    ["100755", "twins/tank/new"],
    ["100755", "twins/tank/run"],
  ]);
});

test("paths out of the repository and into .git, clashes and old copies are refused", async () => {
  const create = (filePath: string) =>
    rejection(ada.Commits.create(project, "main", "x", [{ action: "create", filePath, content: "x" }]));
  for (const path of ["../x", "/x", "a//b", "a/.git/config", ".GIT/x", "a\nb", ""]) {
    expect(await create(path)).toBe("400 file_path should be a valid file path");
  }
  expect(await create("twins/tank/run")).toBe("400 A file with this name already exists");
  expect(await create("twins/tank")).toBe("400 A directory with this name already exists");
  expect(await create("twins/tank/run/below")).toBe("400 A file with this name already exists");
  const stale = ada.Commits.create(project, "main", "x", [
    { action: "update", filePath: "twins/tank/run", content: "x", lastCommitId: "0".repeat(40) },
  ]);
  expect(await rejection(stale)).toMatch(/^400 You are attempting to update a file that has changed/);
});

test("a new branch starts where it is told, and an existing one is not overwritten", async () => {
  const change = [{ action: "create" as const, filePath: "side.txt", content: "side" }];
  const side = await ada.Commits.create(project, "feature/side", "side", change, { startBranch: "main" });
  expect((await ada.Branches.show(project, "feature/side")).commit.id).toBe(side.id);
  expect(
    await rejection(ada.Commits.create(project, "feature/side", "x", change, { startBranch: "main" })),
  ).toMatch(/^400 A branch called 'feature\/side' already exists/);
  expect(await rejection(ada.Commits.create(project, "nowhere", "x", change))).toMatch(
    /^400 You can only create/,
  );
  expect(await rejection(bob.Commits.create(project, "main", "x", change))).toBe("403 403 Forbidden");
});

test("a single file is made, read, changed and removed", async () => {
  const path = "notes/to do.md";
  await ada.RepositoryFiles.create(project, path, "main", "first", "make");
  const file = await ada.RepositoryFiles.show(project, path, "main");
  const head = await ada.Commits.show(project, "main");
  expect(file).toMatchObject({
    file_name: "to do.md",
    file_path: path,
    size: 5,
    encoding: "base64",
    content: Buffer.from("first").toString("base64"),
    commit_id: head.id,
    last_commit_id: head.id,
    execute_filemode: false,
  });
  const raw = await fetch(
    `${world.forge.url}/api/v4/projects/dtaas%2Fada/repository/files/${encodeURIComponent(path)}/raw`,
    { headers: { "private-token": "glpat-ada" } },
  );
  expect([await raw.text(), raw.headers.get("content-type")]).toEqual(["first", "text/plain; charset=utf-8"]);
  const head2 = await fetch(raw.url.replace(/\/raw$/, "?ref=main"), {
    method: "HEAD",
    headers: { "private-token": "glpat-ada" },
  });
  expect(head2.headers.get("x-gitlab-blob-id")).toBe(file.blob_id);
  await ada.RepositoryFiles.edit(project, path, "main", "second", "change", { lastCommitId: head.id });
  await ada.RepositoryFiles.remove(project, path, "main", "remove");
  expect(await rejection(ada.RepositoryFiles.show(project, path, "main"))).toBe("404 404 File Not Found");
  expect(await rejection(ada.RepositoryFiles.show(project, path, "none"))).toBe("404 404 Commit Not Found");
});

test("history is listed newest first, by path, by author and in pages", async () => {
  const all = await ada.Commits.all(project, { refName: "main", perPage: 2 });
  expect(all.map((each) => each.title)).toEqual(["remove", "change", "make", "reorder", "Start"]);
  const onPath = await ada.Commits.all(project, { refName: "main", path: "twins/tank/run" });
  expect(onPath.map((each) => each.title)).toEqual(["reorder", "Start"]);
  expect(await ada.Commits.all(project, { author: "nobody" })).toEqual([]);
  expect(await rejection(ada.Commits.show(project, "f".repeat(40)))).toBe("404 404 Commit Not Found");
  expect(await rejection(ada.Commits.show(project, "--all"))).toBe("404 404 Commit Not Found");
  const [first] = all;
  expect((await ada.Commits.show(project, String(first?.short_id))).id).toBe(first?.id);
});

test("branches are listed, made, shown and removed; the default one stays", async () => {
  const made = await ada.Branches.create(project, "release/1.0", "main");
  expect(made).toMatchObject({
    name: "release/1.0",
    protected: false,
    default: false,
    can_push: true,
    merged: true,
  });
  expect(await rejection(ada.Branches.create(project, "release/1.0", "main"))).toBe(
    "400 Branch already exists",
  );
  expect(await rejection(ada.Branches.create(project, "x", "none"))).toBe("400 Invalid reference name: none");
  expect(await rejection(ada.Branches.create(project, "../x", "main"))).toBe("400 Branch name is invalid");
  const names = (await ada.Branches.all(project)).map((each) => each.name);
  expect(names).toEqual(["feature/side", "main", "release/1.0"]);
  expect(await ada.Branches.show(project, "main")).toMatchObject({ default: true, protected: true });
  expect(await rejection(ada.Branches.remove(project, "main"))).toBe("405 Cannot remove HEAD branch");
  await ada.Branches.remove(project, "release/1.0");
  expect(await rejection(ada.Branches.show(project, "release/1.0"))).toBe("404 404 Branch Not Found");
  expect(await rejection(bob.Branches.create(project, "bob", "main"))).toBe("403 403 Forbidden");
});

test("a branch for maintainers only takes no push from a developer, by git or by the interface", async () => {
  await world.forge.admin.ensureUser({ username: "dev", name: "Dev" });
  await world.forge.admin.ensureMember(project, "dev", 30);
  await world.forge.admin.ensureToken("dev", "t", ["api"], "glpat-dev");
  const dev = new Gitlab({ host: world.forge.url, token: "glpat-dev" });
  await ada.Branches.create(project, "stable/1", "main");
  await ada.ProtectedBranches.create(project, "stable/*");
  const clone = await world.clone(project, "dev", "glpat-dev");
  await world.git(clone, "switch", "--quiet", "stable/1");
  await expect(world.push(clone, "x.txt", "x")).rejects.toThrow(
    /not allowed to push code to protected branches/,
  );
  const change = [{ action: "create" as const, filePath: "x.txt", content: "x" }];
  expect(await rejection(dev.Commits.create(project, "stable/1", "x", change))).toBe(
    "403 You are not allowed to push into this branch",
  );
  expect((await ada.Commits.create(project, "stable/1", "x", change)).title).toBe("x");
});

test("commits through the interface and pushes at the same time lose nothing", async () => {
  const clone = await world.clone(project, "ada", "glpat-ada");
  const commits = Array.from({ length: 8 }, (_, index) =>
    ada.Commits.create(project, "main", `parallel ${index}`, [
      { action: "create", filePath: `parallel/${index}.txt`, content: String(index) },
    ]),
  );
  const results = await Promise.allSettled([...commits, world.push(clone, "pushed.txt", "x")]);
  const tree = await ada.Repositories.allRepositoryTrees(project, { path: "parallel", perPage: 100 });
  const made = results.slice(0, 8).filter((each) => each.status === "fulfilled").length;
  expect(tree).toHaveLength(made);
  expect(made).toBeGreaterThan(0);
  const pushed = await rejection(ada.RepositoryFiles.show(project, "pushed.txt", "main")).then(
    () => false,
    () => true,
  );
  expect(pushed).toBe(results[8]?.status === "fulfilled");
});

test("a commit through the interface is announced like a push", async () => {
  const receiver = await hookReceiver();
  const hook = await ada.ProjectHooks.add(project, receiver.url);
  const commit = await ada.Commits.create(project, "main", "announced", [
    { action: "create", filePath: "announced.txt", content: "x" },
  ]);
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 5_000 });
  expect(JSON.parse(receiver.received[0]?.body ?? "")).toMatchObject({
    after: commit.id,
    commits: [{ id: commit.id, added: ["announced.txt"] }],
  });
  await ada.ProjectHooks.remove(project, hook.id);
  await receiver.close();
});

test("packed references and packed commits are read as well as loose ones", async () => {
  const before = await ada.Branches.show(project, "main");
  const repository = join(
    world.folder,
    "data",
    "repositories",
    `${(await ada.Projects.show(project)).id}.git`,
  );
  await world.git(repository, "gc", "--quiet");
  await world.restart();
  expect(await ada.Branches.show(project, "main")).toEqual(before);
});
