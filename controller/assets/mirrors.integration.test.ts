import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { commitFiles, GitHttpServer, runGitIn } from "#test/fixtures/git-http-server";
import { GitReader } from "./git-reader.ts";
import { Mirrors } from "./mirrors.ts";
import { SmallRepository } from "./small/small-repository.ts";

describe.each(["in process", "with git"] as const)("small repositories are read %s", (small) => {
  let server: GitHttpServer;
  let root: string;
  let nextId = 1;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "mirrors-"));
    server = await GitHttpServer.start(join(root, "served"));
  });

  afterAll(async () => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  });

  function freshProject() {
    const id = nextId++;
    const access = server.create(`group/user${id}`);
    const project = { id, path: `group/user${id}`, defaultBranch: "main", webUrl: "" };
    const mirrors = new Mirrors({ folder: join(root, `mirrors-${id}`), git: {}, small });
    return { project, access, mirrors };
  }

  test("a fetch brings the head of the default branch, a second one what changed since", async () => {
    const { project, access, mirrors } = freshProject();
    const first = commitFiles(access.gitDir, { "a.txt": "one" });
    expect(await mirrors.fetch(project, access)).toBe(first);
    const second = commitFiles(access.gitDir, { "a.txt": "two" });
    expect(await mirrors.fetch(project, access)).toBe(second);
    expect(await mirrors.head(project)).toBe(second);
    const reader = await GitReader.open(mirrors, project.id, first);
    expect(Buffer.from((await reader.read("a.txt", 100)) ?? "").toString()).toBe("one");
  });

  test("a mirror that has the wanted commit asks nobody", async () => {
    const { project, access, mirrors } = freshProject();
    const commit = commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const before = server.requests;
    expect(await mirrors.fetch(project, access, { wanted: commit })).toBe(commit);
    expect(server.requests).toBe(before);
  });

  test("a history that was rewritten on the host is followed", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    runGitIn(access.gitDir, ["update-ref", "-d", "refs/heads/main"]);
    const rewritten = commitFiles(access.gitDir, { "b.txt": "other" });
    expect(await mirrors.fetch(project, access)).toBe(rewritten);
  });

  test("a repository without commits has no head, also after it had one", async () => {
    const { project, access, mirrors } = freshProject();
    expect(await mirrors.fetch(project, access)).toBeUndefined();
    commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    runGitIn(access.gitDir, ["update-ref", "-d", "refs/heads/main"]);
    expect(await mirrors.fetch(project, access)).toBeUndefined();
    expect(await mirrors.head(project)).toBeUndefined();
  });

  test("a default branch that was renamed is followed, also when we were not told, and nothing looks deleted", async () => {
    const { project, access, mirrors } = freshProject();
    const head = commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    runGitIn(access.gitDir, ["branch", "-m", "main", "trunk"]);
    expect(await mirrors.fetch(project, access)).toBe(head);
    expect(await mirrors.fetch({ ...project, defaultBranch: "trunk" }, access, { wanted: head })).toBe(head);
    const other = new Mirrors({ folder: join(root, "first-look"), git: {}, small });
    expect(await other.fetch(project, access)).toBe(head);
  });

  test("a redirect is not followed, so the token reaches no other host", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    const other = await GitHttpServer.start(join(root, "other-host"));
    server.redirectTo = other.origin;
    await expect(mirrors.fetch(project, access)).rejects.toMatchObject({ code: "PROJECT_NOT_FOUND" });
    server.redirectTo = undefined;
    expect(other.requests).toBe(0);
    await other.close();
  });

  test("a refused token is said to be refused, a missing repository to be missing, a broken host to be tried later", async () => {
    const { project, access, mirrors } = freshProject();
    const head = commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const wrong = { ...access, password: "wrong" };
    await expect(mirrors.fetch(project, wrong)).rejects.toMatchObject({ code: "FORGE_TOKEN_REFUSED" });
    const gone = { ...access, url: `${server.origin}/group/nobody.git` };
    await expect(mirrors.fetch(project, gone)).rejects.toMatchObject({ code: "PROJECT_NOT_FOUND" });
    server.refuseWith = 503;
    await expect(mirrors.fetch(project, access)).rejects.toBeInstanceOf(TryLaterError);
    server.refuseWith = undefined;
    const unreachable = { ...access, url: "http://127.0.0.1:1/group/x.git" };
    await expect(mirrors.fetch(project, unreachable)).rejects.toBeInstanceOf(TryLaterError);
    expect(await mirrors.head(project)).toBe(head);
    expect(await mirrors.fetch(project, access)).toBe(head);
  });

  test("other protocols than HTTP and odd branch names are refused before git is started", async () => {
    const { project, access, mirrors } = freshProject();
    for (const url of ["ext::sh -c touch% /tmp/x", "file:///etc", "ssh://host/x", "--upload-pack=touch"]) {
      await expect(mirrors.fetch(project, { ...access, url })).rejects.toThrow();
    }
    for (const defaultBranch of ["--upload-pack=x", "a..b", "a b", "a:b", "x\ny"]) {
      await expect(mirrors.fetch({ ...project, defaultBranch }, access)).rejects.toMatchObject({
        code: "BRANCH_NAME_REFUSED",
      });
    }
  });

  test("the token is in no file of the mirror and on no command line", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    let release = () => {};
    server.hold = new Promise((resolve) => {
      release = resolve;
    });
    const before = server.requests;
    const fetched = mirrors.fetch(project, access);
    await expect.poll(() => server.requests, { timeout: 10_000 }).toBeGreaterThan(before);
    const commandLines = execFileSync("ps", ["-eo", "args"]).toString();
    release();
    server.hold = undefined;
    await fetched;
    const secret = Buffer.from(`oauth2:${access.password}`).toString("base64");
    if (small === "with git") expect(commandLines).toContain(access.url);
    expect(commandLines).not.toContain(secret);
    expect(commandLines).not.toContain(access.password);
    for (const name of await readdir(mirrors.path(project.id), { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const text = (await readFile(join(name.parentPath, name.name))).toString("latin1");
      expect(text.includes(secret) || text.includes(access.password)).toBe(false);
    }
  });

  test("a fetch can be aborted and leaves the mirror as it was", async () => {
    const { project, access, mirrors } = freshProject();
    const head = commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const next = commitFiles(access.gitDir, { "a.txt": "two" });
    let release = () => {};
    server.hold = new Promise((resolve) => {
      release = resolve;
    });
    const abort = new AbortController();
    const before = server.requests;
    const fetched = mirrors.fetch(project, access, { signal: abort.signal });
    const outcome = expect(fetched).rejects.toBeInstanceOf(TryLaterError);
    await expect.poll(() => server.requests, { timeout: 10_000 }).toBeGreaterThan(before);
    abort.abort();
    await outcome;
    release();
    server.hold = undefined;
    expect(await mirrors.head(project)).toBe(head);
    expect(await mirrors.fetch(project, access)).toBe(next);
  });

  test("a mirror that somebody broke is built anew", async () => {
    const { project, access, mirrors } = freshProject();
    const head = commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    for (const name of await readdir(join(mirrors.path(project.id), "objects"), { recursive: true })) {
      const path = join(mirrors.path(project.id), "objects", name);
      await rm(path).catch(() => {}); // Git's files are read-only, and who is not root cannot write into them
      await writeFile(path, "rubbish").catch(() => {});
    }
    await expect(GitReader.open(mirrors, project.id, head)).rejects.toBeInstanceOf(TryLaterError);
    expect(await mirrors.fetch(project, access, { wanted: head })).toBe(head);
    expect((await GitReader.open(mirrors, project.id, head)).list("")).toEqual(["a.txt"]);
    expect(await readdir(join(mirrors.path(project.id), ".."))).toEqual([`${project.id}.git`]);
  });

  test("a commit that nobody has is not fetched for ever", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const nowhere = "1".repeat(40);
    await expect(GitReader.open(mirrors, project.id, nowhere)).rejects.toBeInstanceOf(TryLaterError);
    await mirrors.fetch(project, access);
    const second = GitReader.open(mirrors, project.id, nowhere);
    await expect(second).rejects.toMatchObject({ code: "REVISION_NOT_FOUND" });
    await expect(GitReader.open(mirrors, project.id, "--output=/tmp/x")).rejects.toBeInstanceOf(
      ActionNeededError,
    );
  });

  test("locks and half packs that a killed process left do not stop the next one", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const mirror = mirrors.path(project.id);
    await writeFile(join(mirror, "refs", "heads", "main.lock"), "");
    await writeFile(join(mirror, "objects", "pack", "tmp_pack_left"), "half");
    const afterRestart = new Mirrors({ folder: join(mirror, ".."), git: {}, small });
    const next = commitFiles(access.gitDir, { "a.txt": "two" });
    expect(await afterRestart.fetch(project, access)).toBe(next);
    expect(await readdir(join(mirror, "objects", "pack"))).not.toContain("tmp_pack_left");
  });

  test("a repository larger than the limit is refused and leaves nothing behind", async () => {
    const { project, access } = freshProject();
    commitFiles(access.gitDir, { "noise.bin": { content: randomBytes(1024 * 1024) } });
    const small = new Mirrors({ folder: join(root, "limited"), git: {}, maxPackBytes: 64 * 1024 });
    await expect(small.fetch(project, access)).rejects.toMatchObject({ code: "REPOSITORY_TOO_LARGE" });
    expect(await readdir(join(root, "limited"))).toEqual([]);
  });

  test("a push that brings too much leaves the mirror as it was, and a smaller one after it is fetched", async () => {
    const { project, access } = freshProject();
    const first = commitFiles(access.gitDir, { "a.txt": "one" });
    const folder = join(root, `grown-${project.id}`);
    const limited = new Mirrors({ folder, git: {}, small, maxPackBytes: 64 * 1024 });
    expect(await limited.fetch(project, access)).toBe(first);
    const packs = join(limited.path(project.id), "objects", "pack");
    const before = await readdir(packs);
    commitFiles(access.gitDir, { "noise.bin": { content: randomBytes(1024 * 1024) } });
    await expect(limited.fetch(project, access)).rejects.toMatchObject({ code: "REPOSITORY_TOO_LARGE" });
    expect(await limited.head(project)).toBe(first);
    expect((await readdir(packs)).sort()).toEqual(before.sort());
    runGitIn(access.gitDir, ["update-ref", "refs/heads/main", first]);
    const next = commitFiles(access.gitDir, { "a.txt": "two" });
    expect(await limited.fetch(project, access)).toBe(next);
  });

  test("one file is read at a commit, in this process or through git, and what is not there is undefined", async () => {
    const { project, access, mirrors } = freshProject();
    const commit = commitFiles(access.gitDir, {
      "platform.yaml": "kind: Platform\n",
      link: { content: "platform.yaml", mode: "120000" },
      "folder/deep.txt": "deep",
    });
    await mirrors.fetch(project, access);
    const reader = await GitReader.open(mirrors, project.id, commit);
    const read = async (path: string) => {
      const bytes = await reader.read(path, 1024);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString();
    };
    expect(await read("platform.yaml")).toBe("kind: Platform\n");
    expect(await read("folder/deep.txt")).toBe("deep");
    expect(await read("missing.yaml")).toBeUndefined();
    expect(await read("folder")).toBeUndefined();
    const tooMuch = reader.read("platform.yaml", 3);
    await expect(tooMuch).rejects.toMatchObject({ code: "FILE_TOO_LARGE" });
  });

  test("many small fetches do not leave many packs, and everything stays readable", async () => {
    const { project, access, mirrors } = freshProject();
    const commits: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      commits.push(commitFiles(access.gitDir, { "a.txt": `version ${n}` }));
      await mirrors.fetch(project, access);
    }
    const packs = (await readdir(join(mirrors.path(project.id), "objects", "pack"))).filter((name) =>
      name.endsWith(".pack"),
    );
    expect(packs.length).toBeLessThan(17);
    for (const [n, commit] of commits.entries()) {
      const reader = await GitReader.open(mirrors, project.id, commit);
      expect(Buffer.from((await reader.read("a.txt", 100)) ?? "").toString()).toBe(`version ${n}`);
    }
  });

  test("a few kilobytes that become megabytes are left to git, and read all the same", async () => {
    const { project, access, mirrors } = freshProject();
    commitFiles(access.gitDir, { "a.txt": "one" });
    await mirrors.fetch(project, access);
    const commit = commitFiles(access.gitDir, { "zeros.bin": "0".repeat(16 * 1024 * 1024) });
    expect(await mirrors.fetch(project, access)).toBe(commit);
    expect(await SmallRepository.open(mirrors.path(project.id))).toBeUndefined();
    const reader = await GitReader.open(mirrors, project.id, commit);
    expect((await reader.read("zeros.bin", 32 * 1024 * 1024))?.length).toBe(16 * 1024 * 1024);
  });
});
