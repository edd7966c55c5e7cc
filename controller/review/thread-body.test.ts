import { expect, test } from "vitest";
import type { Diagnostic } from "#schemas/diagnostic";
import { lineInHead } from "./line-in-head.ts";
import { mendLine, threadBody } from "./thread-body.ts";

const problem: Diagnostic = {
  ...{ code: "unknown-field", severity: "error", file: "digital_twins/tank/dt.yaml", line: 5, column: 3 },
  ...{ message: "unknown field `stat`", hint: "did you mean `state`?", mend: { from: "stat", to: "state" } },
};

test("a certain mend is a suggestion that can be applied: the whole line, changed in one place", () => {
  expect(threadBody(problem, "  stat: running # stat")).toBe(
    "**Error** `unknown-field`: unknown field `stat`\n\nHint: did you mean `state`?\n\n```suggestion\n  state: running # stat\n```",
  );
});

test("where the text is not what was found wrong, nothing is suggested", () => {
  expect(mendLine(problem, "  station: running")).toBeUndefined();
  expect(mendLine(problem, "stat: running")).toBeUndefined();
  expect(mendLine(problem, "")).toBeUndefined();
  expect(mendLine({ ...problem, mend: { from: "stat", to: "a`b" } }, "  stat: 1")).toBeUndefined();
});

test("a quoted value stays quoted", () => {
  const value = { ...problem, column: 10, mend: { from: "runing", to: "running" } };
  expect(mendLine(value, '  state: "runing" # x')).toBe('  state: "running" # x');
});

test("a line of the merge result is found in the branch although the target has other lines above and below", () => {
  const head = "a\nb\nc\nd\n";
  expect(lineInHead(head, head, 3)).toBe(3);
  expect(lineInHead("new\na\nb\nc\nd\n", head, 4)).toBe(3);
  expect(lineInHead("a\nb\nc\nd\nmore\n", head, 2)).toBe(2);
  expect(lineInHead("new\na\nb\nc\nd\nmore\n", head, 3)).toBe(2);
  expect(lineInHead("new\na\nb\nc\nd\n", head, 1)).toBeUndefined();
});
