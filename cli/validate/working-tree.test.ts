import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { workingTree } from "./working-tree.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tree-"));
  await mkdir(join(root, "a/deep"), { recursive: true });
  await mkdir(join(root, "empty"));
  await writeFile(join(root, "a/file.txt"), "hello\n");
  await writeFile(join(root, "a.txt"), "between a and a/\n");
  await writeFile(join(root, "a/deep/run"), "#!/bin/sh\n");
  await chmod(join(root, "a/deep/run"), 0o755);
  await symlink("deep/run", join(root, "a/link"));
  await symlink("/etc", join(root, "outside"));
  await symlink("loop", join(root, "loop"));
});

function git(...args: string[]): string {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
  return execFileSync("git", ["-C", root, ...identity, ...args], { encoding: "utf8" }).trim();
}

test("ids of files and folders are those that Git gives", () => {
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message", "all");
  const tree = workingTree(root);
  for (const path of ["a", "a/deep", "a/file.txt", "a.txt", "a/deep/run"]) {
    expect([path, tree.entry(path)?.id]).toEqual([path, git("rev-parse", `HEAD:${path}`)]);
  }
});

test("links that stay inside are followed, what lies outside is not there", () => {
  const tree = workingTree(root);
  expect(tree.entry("a/link")).toMatchObject({ kind: "file", executable: true });
  expect(tree.entry("a/link")?.id).toBe(tree.entry("a/deep/run")?.id);
  for (const path of ["outside", "outside/passwd", "loop", "../x", "nothing", "a.txt/x"]) {
    expect([path, tree.entry(path)]).toEqual([path, undefined]);
  }
  expect(tree.list("")).toEqual(["a", "a.txt", "empty"]);
});

test("what Git ignores is not there, what is merely not added yet is", async () => {
  git("init", "--quiet");
  await writeFile(join(root, ".gitignore"), "file.txt\n");
  const tree = workingTree(root);
  expect(tree.list("a")).toEqual(["deep", "link"]);
  expect(tree.entry(".git/config")).toBeUndefined();
  expect(tree.list("")).not.toContain("empty");
});

test("a file is read up to the limit and one byte more", async () => {
  const tree = workingTree(root);
  expect((await tree.read("a/file.txt", 100))?.toString()).toBe("hello\n");
  expect((await tree.read("a/file.txt", 2))?.length).toBe(3);
  expect(await tree.read("a", 2)).toBeUndefined();
});
