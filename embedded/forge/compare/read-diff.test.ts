import { expect, test } from "vitest";
import { joinDiff, parseRaw } from "./read-diff.ts";

const id = "1".repeat(40);
const raw = (status: string, ...paths: string[]) =>
  `:100644 100644 ${id} ${id} ${status}\0${paths.map((path) => `${path}\0`).join("")}`;
const part = (path: string, line: string) =>
  `diff --git a/${path} b/${path}\nindex 1..2 100644\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n${line}\n`;

test("renamed files have two paths, all others one", () => {
  const changes = parseRaw(raw("R086", "old name", "new\nname") + raw("M", "b"));
  expect(changes.map((each) => [each.status, each.oldPath, each.newPath])).toEqual([
    ["R", "old name", "new\nname"],
    ["M", "b", "b"],
  ]);
});

test("a line of a file that looks like the head of another file's diff is still that file's", () => {
  const changes = parseRaw(raw("M", "a") + raw("M", "b"));
  const patch = part("a", "+diff --git a/x b/x") + part("b", "-b");
  expect(joinDiff(changes, patch, false).map((each) => each.text)).toEqual([
    "@@ -1 +1 @@\n+diff --git a/x b/x\n",
    "@@ -1 +1 @@\n-b\n",
  ]);
});

test("where a file name makes the heads ambiguous no text is told rather than a wrong one", () => {
  const name = "a\ndiff --git c";
  const files = joinDiff(parseRaw(raw("M", name)), part(name, "-x"), false);
  expect(files).toMatchObject([{ newPath: name, text: "", isTooLarge: true }]);
});

test("of a diff that was cut off the files before the cut have their text", () => {
  const changes = parseRaw(raw("M", "a") + raw("M", "b"));
  const patch = part("a", "-a") + part("b", "-b").slice(0, -2);
  expect(joinDiff(changes, patch, true).map((each) => each.isTooLarge)).toEqual([false, true]);
});

test("a file that became a link has both halves of its diff", () => {
  const files = joinDiff(
    parseRaw(raw("T", "a") + raw("M", "b")),
    part("a", "-x") + part("a", "+y") + part("b", "-b"),
    false,
  );
  expect(files.map((each) => each.text)).toEqual(["@@ -1 +1 @@\n-x\n@@ -1 +1 @@\n+y\n", "@@ -1 +1 @@\n-b\n"]);
});
