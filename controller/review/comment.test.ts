import { expect, test } from "vitest";
import { isBroken, type ReviewFindings, reviewComment, saysTheSame } from "./comment.ts";

const findings: ReviewFindings = {
  commit: "abcdef1234".padEnd(40, "0"),
  isMergeResult: true,
  targetBranch: "main",
  problems: [],
  unthreaded: [],
  knownErrors: 0,
  brokenOthers: { named: [], unnamed: 0 },
  twinsValidated: 3,
  plan: {
    changes: [
      {
        user: "user1",
        twin: "tank",
        action: "restart",
        reason: "its spec has changed",
        parts: ["parameters"],
      },
    ],
    staying: 2,
  },
  usersLeftOut: 0,
  images: [],
  assets: [],
  widening: [],
  touched: { named: [], unnamed: 0 },
  observedAt: "2026-01-01T00:00:00.000Z",
  previews: [],
};

test("the plan is a table that reads as text, too", () => {
  const comment = reviewComment(findings);
  expect(comment).toContain("### Digital twins: ready to merge");
  expect(comment).toContain("The result of merging into `main` (`abcdef12`) was validated: 3 twins.");
  expect(comment).toContain("| `tank` | restarts | its spec has changed; `parameters` |");
  expect(comment).toContain("2 twins stay as they are.");
});

test("access that widens and twins of others stand out in bold", () => {
  const comment = reviewComment({
    ...findings,
    widening: ["the twin `tank` is handed the secret `PLANT_TOKEN`"],
    touched: {
      named: [{ user: "user2", twin: "three-tank", what: "depends on `tank`: restart" }],
      unnamed: 4,
    },
  });
  expect(comment).toContain("- **the twin `tank` is handed the secret `PLANT_TOKEN`**");
  expect(comment).toContain("- **`user2/three-tank` of another user** depends on `tank`: restart");
  expect(comment).toContain("- **4 twins of other users**");
});

test("a conflict is said, and what was looked at instead", () => {
  expect(reviewComment({ ...findings, isMergeResult: false })).toContain("**It conflicts with `main`**");
});

test("errors make it broken, warnings do not; a twin of somebody else that would break does", () => {
  const warning = { code: "x", severity: "warning" as const, file: "f", line: 1, column: 1, message: "m" };
  expect(isBroken(findings)).toBe(false);
  expect(isBroken({ ...findings, problems: [warning] })).toBe(false);
  expect(isBroken({ ...findings, problems: [{ ...warning, severity: "error" }] })).toBe(true);
  expect(isBroken({ ...findings, brokenOthers: { named: [], unnamed: 1 } })).toBe(true);
});

test("two comments that differ in nothing but when it was looked are the same", () => {
  const later = { ...findings, observedAt: "2026-02-02T00:00:00.000Z" };
  expect(saysTheSame(reviewComment(findings), reviewComment(later))).toBe(true);
  expect(saysTheSame(reviewComment(findings), reviewComment({ ...findings, twinsValidated: 1 }))).toBe(false);
});

test("previews stand beside the live run in numbers, with pass and fail, and a plot that is text where it is not drawn", () => {
  const comparison = {
    ...{
      file: "output/results.csv",
      column: 'x"]\nline [9',
      tolerance: 0.5,
      verdict: "fail" as const,
      rows: 3,
    },
    ...{ maxDifference: 0.75, atRow: 2, meanDifference: 1e-9, live: [1, 2, 3], preview: [1, 2.75, 3] },
  };
  const run = { operation: "execute", run: "r1", exitCode: 0, durationMs: 1234 };
  const state = {
    twin: "tank",
    commit: findings.commit,
    phase: "done" as const,
    runs: [run],
    comparisons: [comparison],
  };
  const comment = reviewComment({ ...findings, previews: [state] });
  expect(comment).toContain("| `tank` | done | `execute` ended with 0 after 1.23 s |");
  expect(comment).toContain("| **fail** | 3 | 0.75 (row 2) | 0.000000001 | 0.5 |");
  const [, plot = ""] = /```mermaid\n([\s\S]*?)\n```/.exec(comment) ?? [];
  expect(plot.split("\n").slice(-2)).toEqual(["  line [1, 2, 3]", "  line [1, 2.75, 3]"]);
  expect(plot.split("\n")).toHaveLength(6);
});

test("a preview of an older state says so, and one that cannot be compared says why", () => {
  const comparison = {
    ...{ file: "a.csv", column: "t", tolerance: 1, verdict: "cannot-compare" as const, rows: 0 },
    ...{ reason: "the live twin has no run yet @all", live: [], preview: [] },
  };
  const state = {
    twin: "tank",
    commit: "0".repeat(40),
    phase: "running" as const,
    runs: [],
    comparisons: [comparison],
  };
  const comment = reviewComment({ ...findings, previews: [state] });
  expect(comment).toContain("an older state");
  expect(comment).toContain("not compared: the live twin has no run yet @");
  expect(comment).not.toContain("@all");
  expect(comment).not.toContain("mermaid");
});

test("what users wrote cannot leave its place", () => {
  const nasty = "`|\n/merge @all <img src=x>";
  const problem = {
    code: "x",
    severity: "error" as const,
    file: `a${nasty}`,
    line: 1,
    column: 1,
    message: nasty,
  };
  const comment = reviewComment({
    ...findings,
    problems: [problem],
    unthreaded: [problem],
    plan: {
      changes: [{ user: "u", twin: nasty, action: "start", reason: nasty, parts: [nasty] }],
      staying: 0,
    },
    widening: [nasty],
  });
  for (const line of comment.split("\n")) {
    expect(line).not.toMatch(/^\s*\/merge/);
    const outside = line.replace(/(`+)(?!`).*?[^`]\1(?!`)/g, "");
    expect(outside).not.toMatch(/@all|(?<!\\)<img/);
  }
});
