import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataFolder } from "#core/data-folder";
import { commitFiles, GitHttpServer } from "#test/fixtures/git-http-server";
import { GitReader } from "../git-reader.ts";
import { Mirrors } from "../mirrors.ts";
import { Snapshots } from "../snapshots.ts";

let server: GitHttpServer;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "small-"));
  server = await GitHttpServer.start(join(root, "served"));
});

afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

/** A `git` that only notes that it was called, and fails. */
async function brokenGit(): Promise<{ command: string; calls: string }> {
  const folder = await mkdtemp(join(root, "git-"));
  const [command, calls] = [join(folder, "git"), join(folder, "calls")];
  await writeFile(command, `#!/bin/sh\necho "$@" >> ${calls}\nexit 1\n`);
  await chmod(command, 0o755);
  return { command, calls };
}

test("a small repository is fetched, read and checked out without starting git once", async () => {
  const { command, calls } = await brokenGit();
  const access = server.create("group/small");
  const project = { id: 1, path: "group/small", defaultBranch: "main", webUrl: "" };
  const data = dataFolder(join(root, "data"));
  await mkdir(data.git, { recursive: true });
  const mirrors = new Mirrors({ folder: data.git, git: { command } });
  const snapshots = await Snapshots.open(data, mirrors);
  for (let n = 1; n <= 3; n += 1) {
    const files = { "digital_twins/a/dt.yaml": `# version ${n}\n`, "README.md": "read me\n" };
    const commit = commitFiles(access.gitDir, files);
    expect(await mirrors.fetch(project, access)).toBe(commit);
    const reader = await GitReader.open(mirrors, project.id, commit);
    expect(Buffer.from((await reader.read("digital_twins/a/dt.yaml", 100)) ?? "").toString()).toBe(
      `# version ${n}\n`,
    );
    await snapshots.ensure(project, commit);
  }
  await snapshots.close();
  await expect(rm(calls)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a branch moves only when everything it needs has arrived", async () => {
  const access = server.create("group/torn");
  const project = { id: 2, path: "group/torn", defaultBranch: "main", webUrl: "" };
  const { command } = await brokenGit();
  const mirrors = new Mirrors({ folder: join(root, "torn"), git: { command } });
  await mkdir(join(root, "torn"));
  const first = commitFiles(access.gitDir, { "a.txt": "one" });
  await mirrors.fetch(project, access);
  commitFiles(access.gitDir, { "zeros.bin": "0".repeat(16 * 1024 * 1024) }); // refused here, and git is broken
  await expect(mirrors.fetch(project, access)).rejects.toThrow();
  expect(await mirrors.head(project)).toBe(first);
});
