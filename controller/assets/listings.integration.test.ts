import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  commitFiles,
  commitTree,
  type FileInTree,
  GitHttpServer,
  hashObject,
  writeRawTree,
} from "#test/fixtures/git-http-server";
import { checkTree } from "./check-tree.ts";
import { GitReader } from "./git-reader.ts";
import { Mirrors } from "./mirrors.ts";

describe.each(["in process", "with git"] as const)("small repositories are read %s", (small) => {
  let server: GitHttpServer;
  let root: string;
  let nextId = 1;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "listings-"));
    server = await GitHttpServer.start(join(root, "served"));
  });

  afterAll(async () => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  });

  async function freshProject() {
    const id = nextId++;
    const access = server.create(`group/user${id}`);
    const project = { id, path: `group/user${id}`, defaultBranch: "main", webUrl: "" };
    const folder = join(root, `git-${id}`);
    const mirrors = new Mirrors({ folder, git: {}, small });
    const fetched = async (commit: string) => {
      await mirrors.fetch(project, access);
      return commit;
    };
    return {
      access,
      push: (files: Record<string, string | FileInTree>) => fetched(commitFiles(access.gitDir, files)),
      pushTree: (tree: string) => fetched(commitTree(access.gitDir, tree)),
      open: (commit: string) => GitReader.open(mirrors, id, commit),
      /** As a process reads it that has never read anything before. */
      openAnew: (commit: string) =>
        GitReader.open(new Mirrors({ folder, git: {}, small: "with git" }), id, commit),
    };
  }

  test("one commit after the other is listed as if it were the first", async () => {
    const { push, open, openAnew } = await freshProject();
    const deep = "digital_twins/tank/lifecycle/execute";
    const link: FileInTree = { content: "a/b", mode: "120000" };
    const run: FileInTree = { content: "#!/bin/sh\n", mode: "100755" };
    const same = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`same/f${n}`, `${n}`]));
    const states: Record<string, string | FileInTree>[] = [
      { ...same, [deep]: run, "a/b": "1", "a-b": "2", "a.b/c": "3", "z/last": "4" },
      { ...same, [deep]: { ...run, content: "#!/bin/sh\ntrue\n" }, "a/b": "1", "a-b": "2", "a.b/c": "3" },
      { ...same, [deep]: "#!/bin/sh\ntrue\n", "a/b": "1", a0: link, "a-b": "2", "a.b/c": "3", "z/last": "4" },
      { ...same, a: "a file where a folder was", "a-b/c/d": "and the other way round", "z/last": "4" },
      { ...same, a: "b/../a-b", "moved/f1": "1", "moved/deep/f2": "2", "z/last": "4" },
      { ...same, a: { content: "a-b", mode: "120000" }, "a-b": "longer than before", "z/z/last": "4" },
      { a: "everything else is gone" },
      { ...same, [deep]: run, "a/b": "1", "a-b": "2", "a.b/c": "3", "z/last": "4" },
    ];
    for (const files of states) {
      const commit = await push(files);
      const reader = await open(commit);
      const anew = await openAnew(commit);
      expect(reader.entries).toEqual(anew.entries);
      expect(reader.linkTargets).toEqual(anew.linkTargets);
    }
  });

  test("what did not change is not listed again", async () => {
    const { push, open } = await freshProject();
    const files = { "tank/model": "model", "tank/data/one": "one", "pump/model": "pump" };
    const first = await open(await push(files));
    const second = await open(await push({ ...files, "pump/model": "another pump" }));
    expect(second.listed("tank/data/one")).toBe(first.listed("tank/data/one"));
    expect(second.listed("pump/model")).toMatchObject({ bytes: "another pump".length });
  });

  test("a commit that changes nothing is listed like the one before", async () => {
    const { push, open, openAnew } = await freshProject();
    await open(await push({ "a/b": "1", c: "2" }));
    const commit = await push({ "a/b": "1", c: "2" });
    expect((await open(commit)).entries).toEqual((await openAnew(commit)).entries);
  });

  test("a tree with a fault is not what the next one is compared with", async () => {
    const { access, push, pushTree, open, openAnew } = await freshProject();
    const blob = hashObject(access.gitDir, "blob", "content");
    const inner = writeRawTree(access.gitDir, [{ mode: "100644", name: "x", id: blob }]);
    const faulty = writeRawTree(access.gitDir, [
      { mode: "40000", name: "a", id: inner },
      { mode: "40000", name: "a", id: inner },
    ]);
    await open(await push({ "a/x": "content" }));
    const first = await open(await pushTree(faulty));
    expect(() => checkTree(first)).toThrow("The name is there twice");
    const commit = await push({ "a/x": "content", b: "new" });
    const next = await open(commit);
    expect(next.entries.map(({ path }) => path)).toEqual(["a", "a/x", "b"]);
    expect(next.entries).toEqual((await openAnew(commit)).entries);
  });

  test("a name that looks as if it lay in another folder does not come along with that folder", async () => {
    const { access, push, pushTree, open } = await freshProject();
    const blob = hashObject(access.gitDir, "blob", "content");
    const inner = writeRawTree(access.gitDir, [{ mode: "100644", name: "x", id: blob }]);
    const faulty = writeRawTree(access.gitDir, [
      { mode: "40000", name: "a", id: inner },
      { mode: "100644", name: "a/y", id: blob },
    ]);
    await expect(open(await pushTree(faulty))).rejects.toMatchObject({
      code: "TREE_REFUSED",
      where: { file: "a/y" },
    });
    const next = await open(await push({ "a/x": "content" }));
    expect(next.entries.map(({ path }) => path)).toEqual(["a", "a/x"]);
  });

  test("a tree that repeats itself ten to the tenth times is refused after an honest one, too", async () => {
    const { access, push, pushTree, open } = await freshProject();
    await open(await push({ honest: "file" }));
    const blob = hashObject(access.gitDir, "blob", "bomb");
    const ten = (mode: string, id: string) =>
      writeRawTree(
        access.gitDir,
        Array.from({ length: 10 }, (_, n) => ({ mode, name: `d${n}`, id })),
      );
    let tree = ten("100644", blob);
    for (let depth = 1; depth < 10; depth += 1) tree = ten("40000", tree);
    await expect(open(await pushTree(tree))).rejects.toMatchObject({ code: "TREE_REFUSED" });
  });

  test("a name that is no UTF-8 in the changed part is refused", async () => {
    const { access, push, pushTree, open } = await freshProject();
    await open(await push({ honest: "file" }));
    const id = hashObject(access.gitDir, "blob", "content");
    const name = Buffer.from([0x61, 0xff, 0xfe]);
    const commit = await pushTree(writeRawTree(access.gitDir, [{ mode: "100644", name, id }]));
    await expect(open(commit)).rejects.toMatchObject({ code: "TREE_REFUSED" });
  });
});
