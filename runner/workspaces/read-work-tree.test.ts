import { expect, test } from "vitest";
import { readWorkTree } from "./read-work-tree.ts";

const at = "2026-01-01T00:00:00.000Z";

test("reads branch, commit, distance and what has changed", () => {
  const commit = "a".repeat(40);
  const output = `# branch.oid ${commit}
# branch.head main
# branch.upstream origin/main
# branch.ab +2 -1
1 .M N... 100644 100644 100644 ${commit} ${commit} a file.txt
2 R. N... 100644 100644 100644 ${commit} ${commit} R100 new name\told name
u UU N... 100644 100644 100644 100644 ${commit} ${commit} ${commit} both.txt
? notes.txt
`;
  expect(readWorkTree(output, at)).toEqual({
    checkedAt: at,
    commit,
    branch: "main",
    ahead: 2,
    behind: 1,
    changed: ["a file.txt", "new name", "both.txt", "notes.txt"],
  });
});

test("takes the word of a container for nothing more than a word", () => {
  const hostile = [
    "# branch.oid ../../etc/passwd",
    "# branch.ab +99999999999 -x",
    `# branch.head ${"x".repeat(10_000)}`,
    "# branch.head \u001b[2Jgone",
    ...Array.from({ length: 1_000 }, (_, index) => `? \u001b]0;title\u0007file-${index}`),
  ].join("\n");
  const tree = readWorkTree(hostile, at);
  expect(tree.commit).toBeUndefined();
  expect(tree.ahead).toBeUndefined();
  expect(tree.changed).toHaveLength(50);
  const shown = [tree.branch, ...tree.changed].join();
  expect(["\u001b", "\u0007"].some((control) => shown.includes(control))).toBe(false);
});
