import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import {
  commitFiles,
  commitTree,
  type FileInTree,
  GitHttpServer,
  hashObject,
  runGitIn,
  writeRawTree,
} from "#test/fixtures/git-http-server";
import { Mirrors } from "./mirrors.ts";
import { Snapshots } from "./snapshots.ts";

describe.each(["in process", "with git"] as const)("small repositories are read %s", (small) => {
  let server: GitHttpServer;
  let root: string;
  let nextId = 1;
  const opened: Snapshots[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "snapshots-"));
    server = await GitHttpServer.start(join(root, "served"));
  });

  afterAll(async () => {
    await Promise.all(opened.map((snapshots) => snapshots.close()));
    await server.close();
    // One of those that stand for a killed process may still write a mark.
    await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });

  async function freshProject() {
    const id = nextId++;
    const path = `group/user${id}`;
    const access = server.create(path);
    const project = { id, path, defaultBranch: "main", webUrl: "" };
    const data: DataFolder = dataFolder(join(root, `data-${id}`));
    const mirrors = new Mirrors({ folder: data.git, git: {}, small });
    const snapshots = await Snapshots.open(data, mirrors);
    opened.push(snapshots);
    const push = async (files: Record<string, string | FileInTree>) => {
      const commit = commitFiles(access.gitDir, files);
      await mirrors.fetch(project, access);
      return commit;
    };
    const pushTree = async (tree: string) => {
      const commit = commitTree(access.gitDir, tree);
      await mirrors.fetch(project, access);
      return commit;
    };
    return { project, access, data, mirrors, snapshots, push, pushTree };
  }

  test("a revision is checked out with its files, modes and links", async () => {
    const { project, data, snapshots, push } = await freshProject();
    const commit = await push({
      "digital_twins/a/lifecycle/create": { content: "#!/bin/sh\n", mode: "100755" },
      "digital_twins/a/README.md": "read me",
      "data/large.bin": { content: Buffer.alloc(700 * 1024, 7) },
      "data/same.bin": { content: Buffer.alloc(700 * 1024, 7), mode: "100755" },
      "data/empty": "",
      "models/link": { content: "../data/empty", mode: "120000" },
      "models/later": { content: "made-at-run-time", mode: "120000" },
    });
    const path = await snapshots.ensure(project, commit);
    expect(path).toBe(snapshotPath(data, project.path, commit));
    const mode = async (name: string) => (await lstat(join(path, name))).mode & 0o7777;
    expect(await readFile(join(path, "digital_twins/a/README.md"), "utf8")).toBe("read me");
    expect((await stat(join(path, "data/large.bin"))).size).toBe(700 * 1024);
    expect((await stat(join(path, "data/same.bin"))).size).toBe(700 * 1024);
    expect((await stat(join(path, "data/empty"))).size).toBe(0);
    expect(await readlink(join(path, "models/link"))).toBe("../data/empty");
    expect(await mode("digital_twins/a/lifecycle/create")).toBe(0o777);
    expect(await mode("digital_twins/a/README.md")).toBe(0o666);
    expect(await mode("data/large.bin")).toBe(0o666);
    expect(await mode("data/same.bin")).toBe(0o777);
    expect(await mode("digital_twins/a")).toBe(0o777);
    expect((await stat(path)).mode & 0o7777).toBe(0o777);
    expect((await stat(data.snapshots)).mode & 0o7777).toBe(0o700);
  });

  test("modes do not depend on the umask of the process", async () => {
    const { project, snapshots, push } = await freshProject();
    const commit = await push({ "folder/run": { content: "x", mode: "100755" }, "folder/text": "y" });
    const before = process.umask(0o077);
    const path = await snapshots.ensure(project, commit).finally(() => process.umask(before));
    expect((await stat(join(path, "folder"))).mode & 0o7777).toBe(0o777);
    expect((await stat(join(path, "folder/text"))).mode & 0o7777).toBe(0o666);
  });

  test("callers who ask for the same revision at once share one snapshot", async () => {
    const { project, data, snapshots, push } = await freshProject();
    const commit = await push({ a: "1", b: "2" });
    const paths = await Promise.all(Array.from({ length: 8 }, () => snapshots.ensure(project, commit)));
    expect(new Set(paths).size).toBe(1);
    const again = await Snapshots.open(data, new Mirrors({ folder: data.git, git: {} }));
    expect(await again.ensure(project, commit)).toBe(paths[0]);
    expect(await readdir(join(paths[0] ?? "", ".."))).toEqual([commit]);
  });

  test("two processes that make the same snapshot both end well", async () => {
    const { project, data, mirrors, snapshots, push } = await freshProject();
    const commit = await push(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, `${n}`])));
    const other = await Snapshots.open(data, mirrors);
    opened.push(other);
    const [one, two] = await Promise.all([snapshots.ensure(project, commit), other.ensure(project, commit)]);
    expect(one).toBe(two);
    expect(await readdir(join(one, ".."))).toEqual([commit]);
  });

  test("files that did not change are shared with the snapshot before", async () => {
    const { project, snapshots, push } = await freshProject();
    const same = "large enough to be worth it\n".repeat(50_000);
    const first = await snapshots.ensure(project, await push({ same, run: "old", moved: "moved" }));
    const commit = await push({
      same,
      run: { content: "old", mode: "100755" },
      "to/moved": "moved",
      new: "new",
    });
    const second = await snapshots.ensure(project, commit);
    const inode = async (path: string) => (await stat(path)).ino;
    expect(await inode(join(second, "same"))).toBe(await inode(join(first, "same")));
    expect(await inode(join(second, "to/moved"))).toBe(await inode(join(first, "moved")));
    expect(await inode(join(second, "run"))).not.toBe(await inode(join(first, "run")));
    expect((await stat(join(first, "run"))).mode & 0o7777).toBe(0o666);
    await snapshots.remove(project.path, first.split("/").at(-1) ?? "");
    expect(await readFile(join(second, "same"), "utf8")).toBe(same);
  });

  describe("the next snapshot of a large repository", () => {
    const manyNames = 1_100;
    const link: FileInTree = { content: "../kept/file", mode: "120000" };
    const before: Record<string, string | FileInTree> = {
      "changed/file": "old",
      "changed/run": "run",
      "gone/deep/file": "gone",
      "gone/link": link,
      "kept/file": "kept",
      "kept/link": link,
      "moved/file": "moves",
      "becomes/folder": "a file",
      "becomes/link": "a file as well",
      "was-folder/file": "inside",
      "was-link/link": link,
    };
    const after: Record<string, string | FileInTree> = {
      "changed/file": "new",
      "changed/run": { content: "run", mode: "100755" },
      "kept/file": "kept",
      "kept/link": link,
      "moved/deeper/file": "moves",
      "becomes/folder/file": "in a folder",
      "becomes/link": { content: "folder/file", mode: "120000" },
      "was-folder": "no folder any more",
      "was-link/link": "no link any more",
      "was-link/other": { content: "link", mode: "120000" },
    };

    /** As one file many times, so that it need not be written by the thousand. */
    async function freshLarge() {
      const project = await freshProject();
      const { gitDir } = project.access;
      const blob = hashObject(gitDir, "blob", "one of many");
      const many = writeRawTree(
        gitDir,
        Array.from({ length: manyNames }, (_, n) => ({ mode: "100644", name: `f${10_000 + n}`, id: blob })),
      );
      const pushLarge = async (files: Record<string, string | FileInTree>) => {
        commitFiles(gitDir, files);
        const lines = runGitIn(gitDir, ["ls-tree", "main"]).trim().split("\n");
        const items = lines.map((line) => {
          const [, mode = "", id = "", name = ""] = /^(\d+) \w+ (\w+)\t(.*)$/.exec(line) ?? [];
          return { mode: mode.replace(/^0/, ""), name, id };
        });
        const all = [...items, { mode: "40000", name: "many", id: many }];
        const inOrder = (item: { mode: string; name: string }) =>
          item.mode === "40000" ? `${item.name}/` : item.name;
        return await project.pushTree(
          writeRawTree(
            gitDir,
            all.sort((a, b) => (inOrder(a) < inOrder(b) ? -1 : 1)),
          ),
        );
      };
      const parent = join(project.data.snapshots, project.project.path.replaceAll("/", "+"));
      const spares = join(project.data.snapshots, ".spare", basename(parent));
      const spare = async () => (await readdir(spares).catch(() => [])).join();
      const linkedAhead = async (commit: string) => expect.poll(spare, { timeout: 20_000 }).toBe(commit);
      return { ...project, pushLarge, parent, spares, spare, linkedAhead };
    }

    /** Everything in a folder: its kind, mode and content. */
    async function shown(folder: string): Promise<string[]> {
      const names = await readdir(folder, { recursive: true });
      return await Promise.all(
        names.sort().map(async (name) => {
          const path = join(folder, name);
          const about = await lstat(path);
          if (about.isSymbolicLink()) return `${name} -> ${await readlink(path)}`;
          const mode = (about.mode & 0o7777).toString(8);
          return about.isDirectory() ? `${name}/ ${mode}` : `${name} ${mode} ${await readFile(path, "utf8")}`;
        }),
      );
    }

    test("is the one that was linked ahead, with what differs replaced, and the one before stays as it was", async () => {
      const { project, data, mirrors, snapshots, pushLarge, spares, linkedAhead } = await freshLarge();
      const first = await snapshots.ensure(project, await pushLarge(before));
      await linkedAhead(basename(first));
      const asBefore = await shown(first);
      const folder = (await stat(join(spares, basename(first), "many"))).ino;
      const usedAtMs = Date.now();
      const second = await snapshots.ensure(project, await pushLarge(after));
      expect((await stat(join(second, "many"))).ino).toBe(folder);
      expect((await stat(second)).mtimeMs).toBeGreaterThanOrEqual(usedAtMs - 1_000);
      expect(await shown(first)).toEqual(asBefore);
      const anew = await Snapshots.open(dataFolder(join(data.root, "anew")), mirrors);
      opened.push(anew);
      expect(await shown(second)).toEqual(await shown(await anew.ensure(project, basename(second))));
      const inode = async (path: string) => (await stat(path)).ino;
      expect(await inode(join(second, "moved/deeper/file"))).toBe(await inode(join(first, "moved/file")));
      await linkedAhead(basename(second));
      expect(await shown(join(spares, basename(second)))).toEqual(await shown(second));
    });

    test("is made without it when something was done to it", async () => {
      const { project, snapshots, pushLarge, spares, linkedAhead } = await freshLarge();
      const first = await snapshots.ensure(project, await pushLarge(before));
      await linkedAhead(basename(first));
      await rm(join(spares, basename(first), "gone/deep/file"));
      await writeFile(join(spares, basename(first), "was-folder/more"), "");
      const second = await snapshots.ensure(project, await pushLarge(after));
      const names = await readdir(second);
      expect(names.sort()).toEqual(["becomes", "changed", "kept", "many", "moved", "was-folder", "was-link"]);
      expect((await stat(join(second, "was-folder"))).isFile()).toBe(true);
    });

    test("does not wait for it, and nothing half made stays", async () => {
      const { project, data, snapshots, pushLarge, parent } = await freshLarge();
      const commits = [await pushLarge(before), await pushLarge(after), await pushLarge(before)];
      for (const commit of commits) await snapshots.ensure(project, commit);
      await snapshots.close();
      expect((await readdir(parent)).sort()).toEqual([...new Set(commits)].sort());
      expect(await readdir(join(data.snapshots, ".half"))).toEqual([]);
      for (const commit of commits)
        expect(await readdir(join(parent, commit, "many"))).toHaveLength(manyNames);
    });

    test("what was linked ahead goes with its snapshot, and with its process", async () => {
      const { project, data, mirrors, snapshots, pushLarge, parent, spare, linkedAhead } = await freshLarge();
      const commit = await pushLarge(before);
      const path = await snapshots.ensure(project, commit);
      await linkedAhead(commit);
      expect(await readdir(parent)).toEqual([commit]); // which is mounted
      await snapshots.remove(project.path, commit);
      await snapshots.ensure(project, commit);
      await linkedAhead(commit);
      await snapshots.close();
      const long = new Date(Date.now() - 3_600_000);
      await utimes(path, long, long);
      const again = await Snapshots.open(data, mirrors);
      opened.push(again);
      expect(await spare()).toBe("");
      const other = await again.ensure(project, await pushLarge(after));
      await linkedAhead(basename(other));
      expect(await again.sweep([], 60_000)).toEqual([{ project: project.path, commit }]);
      expect(await spare()).toBe(basename(other));
      await again.close();
      await utimes(other, long, long);
      const last = await Snapshots.open(data, mirrors);
      opened.push(last);
      expect(await last.sweep([], 60_000)).toHaveLength(1);
      expect(await readdir(parent)).toEqual([]);
    });
  });

  test("two names that differ in case only are two files", async () => {
    const { project, snapshots, push } = await freshProject();
    const path = await snapshots.ensure(project, await push({ "README.md": "1", "readme.md": "2" }));
    expect(await readFile(join(path, "readme.md"), "utf8")).toBe("2");
    expect(await readFile(join(path, "README.md"), "utf8")).toBe("1");
  });

  test("pointers of Git LFS and attributes of the repository change nothing", async () => {
    const { project, snapshots, push } = await freshProject();
    const files = {
      ".gitattributes": "* text eol=crlf filter=evil ident\n*.bin filter=lfs\n",
      ".gitconfig": '[filter "evil"]\n  smudge = touch /tmp/owned\n',
      "a.txt": "one\ntwo $Id$\n",
      "a.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    };
    const path = await snapshots.ensure(project, await push(files));
    for (const [name, content] of Object.entries(files)) {
      expect(await readFile(join(path, name), "utf8")).toBe(content);
    }
  });

  test.each([
    ["an absolute link", { content: "/etc/passwd", mode: "120000" as const }],
    ["a link out of the repository", { content: "../../etc/passwd", mode: "120000" as const }],
    ["a link to itself", { content: "link", mode: "120000" as const }],
    ["an empty link", { content: "", mode: "120000" as const }],
    ["a link that is no UTF-8", { content: Buffer.from([0x66, 0xff]), mode: "120000" as const }],
  ])("%s is refused and named", async (_title, link) => {
    const { project, snapshots, push } = await freshProject();
    const commit = await push({ "folder/link": link, "folder/file": "x" });
    await expectRefused(snapshots.ensure(project, commit), "folder/link");
    expect(await snapshots.list()).toEqual([]);
  });

  test("a link that leaves the repository through other links is refused", async () => {
    const { project, snapshots, push } = await freshProject();
    const commit = await push({
      "a/b/up": { content: "../..", mode: "120000" },
      "a/escape": { content: "b/up/../secret", mode: "120000" },
      "a/b/file": "x",
    });
    await expectRefused(snapshots.ensure(project, commit), "a/escape");
  });

  test("a chain of links that stays inside is kept", async () => {
    const { project, snapshots, push } = await freshProject();
    const path = await snapshots.ensure(
      project,
      await push({
        "one/link": { content: "../two", mode: "120000" },
        "two/file": "found",
        shortcut: { content: "one/link/file", mode: "120000" },
      }),
    );
    expect(await readFile(join(path, "shortcut"), "utf8")).toBe("found");
  });

  test.each([
    ".git",
    ".GIT",
    ".Git ",
    ".git.",
    ".git::$INDEX_ALLOCATION",
    "GIT~1",
    "git~2",
    ".g\u200cit",
    "..",
    ".",
    "a\\..\\b",
    "bell\u0007",
    "line\nfeed",
    "x".repeat(256),
  ])("the name %j is refused wherever it stands", async (name) => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const blob = hashObject(access.gitDir, "blob", "content");
    const inner = writeRawTree(access.gitDir, [{ mode: "100644", name, id: blob }]);
    const commit = await pushTree(
      writeRawTree(access.gitDir, [{ mode: "40000", name: "folder", id: inner }]),
    );
    await expectRefused(snapshots.ensure(project, commit), `folder/${name}`);
  });

  test("submodules and special files are refused", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const id = hashObject(access.gitDir, "blob", "content");
    for (const mode of ["160000", "060000"]) {
      const commit = await pushTree(writeRawTree(access.gitDir, [{ mode, name: "odd", id }]));
      await expectRefused(snapshots.ensure(project, commit), "odd");
    }
  });

  test("a name that is there twice, once as a link and once as a folder, is refused", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const target = hashObject(access.gitDir, "blob", "safe");
    const file = hashObject(access.gitDir, "blob", "content");
    const folder = writeRawTree(access.gitDir, [{ mode: "100644", name: "passwd", id: file }]);
    const commit = await pushTree(
      writeRawTree(access.gitDir, [
        { mode: "120000", name: "a", id: target },
        { mode: "40000", name: "a", id: folder },
      ]),
    );
    await expectRefused(snapshots.ensure(project, commit), "a");
  });

  test("names with a slash inside cannot reach another folder", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const id = hashObject(access.gitDir, "blob", "content");
    for (const name of ["../outside", "a/b", "/etc/cron.d/x"]) {
      const commit = await pushTree(writeRawTree(access.gitDir, [{ mode: "100644", name, id }]));
      await expect(snapshots.ensure(project, commit)).rejects.toMatchObject({ code: "TREE_REFUSED" });
    }
  });

  test("a name that is no UTF-8 is refused", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const id = hashObject(access.gitDir, "blob", "content");
    const name = Buffer.from([0x61, 0xff, 0xfe]);
    const commit = await pushTree(writeRawTree(access.gitDir, [{ mode: "100644", name, id }]));
    await expect(snapshots.ensure(project, commit)).rejects.toMatchObject({ code: "TREE_REFUSED" });
  });

  test("a tree that repeats itself ten to the tenth times is refused at once", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const blob = hashObject(access.gitDir, "blob", "bomb");
    const ten = (mode: string, id: string) =>
      writeRawTree(
        access.gitDir,
        Array.from({ length: 10 }, (_, n) => ({ mode, name: `d${n}`, id })),
      );
    let tree = ten("100644", blob);
    for (let depth = 1; depth < 10; depth += 1) tree = ten("40000", tree);
    const commit = await pushTree(tree);
    await expect(snapshots.ensure(project, commit)).rejects.toMatchObject({ code: "TREE_REFUSED" });
  });

  test("files that together are larger than the limit are refused before one is written", async () => {
    const { project, access, snapshots, pushTree } = await freshProject();
    const id = hashObject(access.gitDir, "blob", Buffer.alloc(4 * 1024 * 1024));
    const names = Array.from({ length: 600 }, (_, n) => ({ mode: "100644", name: `zeros-${1000 + n}`, id }));
    const commit = await pushTree(writeRawTree(access.gitDir, names));
    await expect(snapshots.ensure(project, commit)).rejects.toMatchObject({ code: "TREE_REFUSED" });
    expect(await snapshots.list()).toEqual([]);
  });

  test("what a crash left half done is removed at the next start, whole snapshots stay", async () => {
    const { project, data, mirrors, snapshots, push } = await freshProject();
    const commit = await push({ a: "1" });
    const path = await snapshots.ensure(project, commit);
    const half = join(data.snapshots, ".half");
    await mkdir(join(half, `${commit}-abcd`));
    await writeFile(join(half, `${commit}-abcd`, "half"), "");
    await mkdir(join(path, "..", `.new-${commit}-abcd`)); // where former versions had them
    const again = await Snapshots.open(data, mirrors);
    expect(await readdir(join(path, ".."))).toEqual([commit]);
    expect(await readdir(half)).toEqual([]);
    expect(await again.list()).toMatchObject([{ project: project.path, commit }]);
  });

  test("a sweep removes old snapshots that nobody needs, and spares those asked for a moment ago", async () => {
    const { project, data, mirrors, push, ...first } = await freshProject();
    const commits = [await push({ a: "1" }), await push({ a: "2" }), await push({ a: "3" })];
    const long = new Date(Date.now() - 3_600_000);
    for (const commit of commits) await utimes(await first.snapshots.ensure(project, commit), long, long);
    await first.snapshots.close();
    const snapshots = await Snapshots.open(data, mirrors);
    const [needed = "", asked = "", unneeded = ""] = commits;
    await snapshots.ensure(project, asked);
    const gone = await snapshots.sweep([{ project: project.path, commit: needed }], 60_000);
    expect(gone).toEqual([{ project: project.path, commit: unneeded }]);
    expect((await snapshots.list()).map((one) => one.commit).sort()).toEqual([needed, asked].sort());
  });

  test("a snapshot that somebody asks for while a sweep takes it away is there all the same", async () => {
    const { project, data, mirrors, push, ...first } = await freshProject();
    let { snapshots } = first;
    const commits: string[] = [];
    for (let index = 0; index < 12; index += 1) commits.push(await push({ a: `text ${index}` }));
    const long = new Date(Date.now() - 3_600_000);
    for (let round = 0; round < 3; round += 1) {
      const paths = await Promise.all(commits.map((commit) => snapshots.ensure(project, commit)));
      for (const path of paths) await utimes(path, long, long);
      await snapshots.close();
      snapshots = await Snapshots.open(data, mirrors); // only the disk says when they were used
      const sweeping = snapshots.sweep([], 60_000);
      const asked: Promise<string>[] = [];
      for (const commit of commits) {
        await new Promise((resolve) => setImmediate(resolve)); // at ever other moments of the sweep
        asked.push(snapshots.ensure(project, commit));
      }
      const texts = await Promise.all(
        asked.map(async (path, index) => [await readFile(join(await path, "a"), "utf8"), `text ${index}`]),
      );
      await sweeping;
      for (const [text, wanted] of texts) expect(text).toBe(wanted);
      const there = await Promise.all(
        commits.map((commit) => snapshots.has({ project: project.path, commit })),
      );
      expect(there).toEqual(commits.map(() => true));
    }
  });

  test("large files stand where their pointers are, one inode for all revisions; without them nothing is checked out", async () => {
    const { project, data, mirrors, push } = await freshProject();
    const oid = "a".repeat(64);
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 11\n`;
    const large = join(data.root, "large");
    await mkdir(data.root, { recursive: true });
    await writeFile(large, "large model");
    const asked: string[][] = [];
    const snapshots = await Snapshots.open(data, mirrors, async (_project, files) => {
      asked.push(files.map(({ path }) => path));
      if (files.some(({ path }) => path.includes("missing"))) {
        throw new ActionNeededError("TREE_REFUSED", "no such large file");
      }
      return () => large;
    });
    const files = {
      "a.bin": pointer,
      "tool.bin": { content: pointer, mode: "100755" as const },
      text: "small",
    };
    const first = await snapshots.ensure(project, await push(files));
    const second = await snapshots.ensure(project, await push({ ...files, text: "changed" }));
    expect(asked.map((paths) => paths.sort())).toEqual([
      ["a.bin", "tool.bin"],
      ["a.bin", "tool.bin"],
    ]);
    for (const path of [first, second]) {
      expect(await readFile(join(path, "a.bin"), "utf8")).toBe("large model");
      expect((await stat(join(path, "a.bin"))).ino).toBe((await stat(large)).ino);
      expect(await readFile(join(path, "tool.bin"), "utf8")).toBe("large model");
      expect((await stat(join(path, "tool.bin"))).mode & 0o777).toBe(0o777);
    }
    const broken = await push({ ...files, "missing.bin": pointer });
    await expect(snapshots.ensure(project, broken)).rejects.toMatchObject({ code: "TREE_REFUSED" });
    expect(await readdir(join(first, ".."))).toHaveLength(2);
  });

  test("what was asked for in passing goes with the first sweep that nobody needs it in, unless somebody else has asked", async () => {
    const { project, snapshots, push } = await freshProject();
    const [passing, both] = [await push({ a: "1" }), await push({ a: "2" })];
    await snapshots.ensurePassing(project, passing);
    await snapshots.ensurePassing(project, both);
    await snapshots.ensure(project, both);
    expect(await snapshots.sweep([], 600_000)).toEqual([]); // whoever needs it may be about to say so
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + 60_000);
      expect(await snapshots.sweep([{ project: project.path, commit: passing }], 600_000)).toEqual([]);
      expect(await snapshots.sweep([], 600_000)).toEqual([{ project: project.path, commit: passing }]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("nothing goes of a project of which it is not known what is needed", async () => {
    const { project, data, mirrors, snapshots, push } = await freshProject();
    const long = new Date(Date.now() - 3_600_000);
    await utimes(await snapshots.ensure(project, await push({ a: "1" })), long, long);
    await snapshots.close();
    const again = await Snapshots.open(data, mirrors);
    expect(await again.sweep([], 60_000, new Set([project.path]))).toEqual([]);
    expect(await again.sweep([], 60_000)).toHaveLength(1);
  });

  test("after a power cut a snapshot that was not flushed is not trusted, and made again", async () => {
    const { project, data, mirrors, snapshots, push } = await freshProject();
    const flushed = await push({ a: "flushed" });
    await snapshots.ensure(project, flushed);
    await snapshots.close();
    const late = await push({ a: "not flushed" });
    await writeFile(join(await snapshots.ensure(project, late), "a"), ""); // as a file system may leave it
    expect((await (await Snapshots.open(data, mirrors)).list()).length).toBe(2); // only the process was killed

    await writeFile(join(data.snapshots, ".boot"), "another start of the machine\n");
    const again = await Snapshots.open(data, mirrors);
    expect(await again.list()).toMatchObject([{ commit: flushed }]);
    expect(await again.has({ project: project.path, commit: late })).toBe(false);
    opened.push(again);
    expect(await readFile(join(await again.ensure(project, late), "a"), "utf8")).toBe("not flushed");
  });

  async function expectRefused(making: Promise<string>, file: string): Promise<void> {
    const error = await making.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ActionNeededError);
    expect(error).toMatchObject({ code: "TREE_REFUSED", where: { file } });
  }
});
