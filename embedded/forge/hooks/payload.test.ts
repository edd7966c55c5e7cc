import { expect, test } from "vitest";
import { parseReceipt } from "../git-http/receipt.ts";
import { matchesWildcard } from "./branch-filter.ts";
import { pushOptionsJson } from "./push-payload.ts";
import { parseNameStatus } from "./pushed-commits.ts";

test.each([
  ["main", "main", true],
  ["main", "maine", false],
  ["release/*", "release/1.0", true],
  ["release/*", "release/", true],
  ["*-stable", "v1-stable", true],
  ["a*b*c", "aXbYc", true],
  ["a*b*c", "acb", false],
  ["ab*ba", "aba", false],
  ["*", "anything/at all", true],
  ["a.c", "abc", false],
])("the filter %s on %s gives %s", (pattern, branch, expected) => {
  expect(matchesWildcard(pattern, branch)).toBe(expected);
});

test("a filter of many stars answers at once", () => {
  expect(matchesWildcard(`${"a*".repeat(200)}b`, "a".repeat(5_000))).toBe(false);
});

test("push options are told as GitLab tells them", () => {
  const options = [
    "ci.skip",
    'ci.variable="K=V"',
    "ci.variable=K=V",
    "merge_request.title=A new twin",
    "__proto__.x",
  ];
  expect(pushOptionsJson(options)).toEqual({
    ci: { skip: true, variable: { "K=V": 2 } },
    merge_request: { title: "A new twin" },
  });
});

test("files with odd names are put under what happened to them", () => {
  const id = "a".repeat(40);
  const text = `\x01${id}\0\nA\0\nnew line.txt\0M\0M\0D\0gone\0T\0link\0\x01${"b".repeat(40)}\0`;
  expect(parseNameStatus(text)).toEqual([
    { id, added: ["\nnew line.txt"], modified: ["M", "link"], removed: ["gone"] },
    { id: "b".repeat(40), added: [], modified: [], removed: [] },
  ]);
});

test("what git says of a push is read, and nothing else", () => {
  const [a, b] = ["a".repeat(40), "b".repeat(40)];
  expect(parseReceipt(`option ci.skip\n${a} ${b} refs/heads/x y\nnonsense\n`)).toEqual({
    changes: [{ before: a, after: b, ref: "refs/heads/x y" }],
    pushOptions: ["ci.skip"],
  });
});
