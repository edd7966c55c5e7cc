import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Diagnostic } from "./diagnostic.ts";
import { countDiagnostics, formatDiagnostics } from "./format-diagnostics.ts";

const error: Diagnostic = {
  code: "unknown-value",
  severity: "error",
  file: "digital_twins/a/dt.yaml",
  line: 2,
  column: 8,
  message: "`spec.state` must be `running` or `stopped`, not `runing`",
  hint: "did you mean `running`?",
};
const warning: Diagnostic = {
  code: "no-operations",
  severity: "warning",
  file: "b",
  line: 1,
  column: 1,
  message: "m",
};

describe("findings on paper", () => {
  test("read like a compiler's, one line each, with the hint under it", () => {
    expect(formatDiagnostics([error, warning])).toBe(
      "digital_twins/a/dt.yaml:2:8: error unknown-value: `spec.state` must be `running` or `stopped`, not `runing`\n" +
        "  hint: did you mean `running`?\n" +
        "b:1:1: warning no-operations: m\n",
    );
  });

  test("show the line and the place when the text is at hand", () => {
    const source = () => "spec:\n\tstate: runing\n";
    expect(
      formatDiagnostics([{ ...error, column: 9 }], { source })
        .split("\n")
        .slice(1, 3),
    ).toEqual(["  2 |  state: runing", "    |         ^"]);
  });

  test("the mark stands under wide and escaped characters", () => {
    const source = () => "a\n\u001b水x: 1\n";
    const lines = formatDiagnostics([{ ...error, column: 3 }], { source }).split("\n");
    expect(lines[1]).toBe("  2 | \\u001b水x: 1");
    expect(lines[2]).toBe(`    | ${" ".repeat(8)}^`);
  });

  test("no line of the source can take over the terminal", () => {
    const source = () => `spec:\n${"\u001b[2J".repeat(1000)}`;
    const text = formatDiagnostics([{ ...error, file: "a\u001b[31m" }], { source });
    expect(text).not.toContain("\u001b");
    expect(text.length).toBeLessThan(2000);
  });

  test("a stream that is no terminal gets no colours", () => {
    expect(formatDiagnostics([error], { stream: new PassThrough() })).toBe(formatDiagnostics([error]));
  });

  test("a place beyond the end of the text is shown without a line", () => {
    expect(formatDiagnostics([{ ...error, line: 99 }], { source: () => "a\n" }).split("\n")).toHaveLength(3);
  });

  test("are counted in words", () => {
    expect(countDiagnostics([error, error, warning])).toBe("2 errors, 1 warning");
    expect(countDiagnostics([])).toBe("no problems");
  });
});
