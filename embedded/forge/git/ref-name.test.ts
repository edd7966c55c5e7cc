import { expect, test } from "vitest";
import { isBranchName } from "./ref-name.ts";

test.each(["main", "feature/x", "v1.0", "a-b_c", "ümlaut", "user@host", "a.lock2"])(
  "%s is a branch",
  (name) => {
    expect(isBranchName(name)).toBe(true);
  },
);

test.each([
  "",
  "@",
  "HEAD",
  "-x",
  "../../etc/passwd",
  "a..b",
  "/a",
  "a/",
  "a//b",
  ".hidden",
  "a/.b",
  "a.lock",
  "a.lock/b",
  "a b",
  "a~1",
  "a^",
  "a:b",
  "a?",
  "a*",
  "a[b",
  "a\\b",
  "a@{1}",
  "a.",
  "a\nb",
  "x".repeat(300),
])("%j is none", (name) => {
  expect(isBranchName(name)).toBe(false);
});
