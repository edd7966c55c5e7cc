import { expect, test } from "vitest";
import { pathPattern } from "./match-paths.ts";

test.each([
  ["out", "out/a/b.csv", true],
  ["out/", "out/a.csv", true],
  ["out", "output/a.csv", false],
  ["./out/a.csv", "out/a.csv", true],
  [".", "anything/at all", true],
  ["*.csv", "a.csv", true],
  ["*.csv", "out/a.csv", false],
  ["**/*.csv", "a.csv", true],
  ["**/*.csv", "x/y/a.csv", true],
  ["out/*/log.txt", "out/1/log.txt", true],
  ["out/*", "out/folder/file", true],
  ["out/{a,b}.txt", "out/b.txt", true],
  ["out/{a,b}.txt", "out/c.txt", false],
  ["run-[0-9].log", "run-7.log", true],
  ["a?.txt", "ab.txt", true],
  ["a+b(.txt", "a+b(.txt", true],
])("%s and %s: %s", (pattern, path, expected) => {
  expect(pathPattern(pattern)?.matches(path)).toBe(expected);
});

test.each(["/etc/passwd", "../up", "out/../../up"])("%s leads out of the project", (pattern) => {
  expect(pathPattern(pattern)).toBeUndefined();
});

test("only what a pattern can reach is looked through", () => {
  expect(pathPattern("out/data/*.csv")?.root).toBe("out/data");
  expect(pathPattern("**/x")?.root).toBe("");
});
