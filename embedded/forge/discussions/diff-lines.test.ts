import { expect, test } from "vitest";
import { findLine } from "./diff-lines.ts";

// Lines 4 to 6 of ten: the fifth is replaced by two.
const diff = "@@ -4,3 +4,4 @@ speed\n four\n-five\n+FIVE\n+and a half\n six\n";

test.each([
  [null, 5, "in diff"],
  [null, 6, "in diff"],
  [5, null, "in diff"],
  [4, 4, "in diff"],
  [6, 7, "in diff"],
  [1, 1, "beside"],
  [7, 8, "beside"],
  [9, 10, "beside"],
  [null, 4, undefined], // unchanged: both numbers are wanted
  [4, null, undefined],
  [6, 6, undefined],
  [7, 7, undefined],
  [5, 5, undefined],
  [0, 0, undefined],
  [null, null, undefined],
])("line %s before and %s after is %s", (oldLine, newLine, expected) => {
  expect(findLine(diff, { oldLine, newLine })).toBe(expected);
});

test("in a new file every line is one of the difference", () => {
  expect(findLine("@@ -0,0 +1,2 @@\n+a\n+b\n", { oldLine: null, newLine: 2 })).toBe("in diff");
  expect(findLine("@@ -0,0 +1,2 @@\n+a\n+b\n", { oldLine: null, newLine: 3 })).toBeUndefined();
});
