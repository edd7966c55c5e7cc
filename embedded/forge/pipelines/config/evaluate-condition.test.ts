import { beforeAll, expect, test } from "vitest";
import { evaluateCondition } from "./evaluate-condition.ts";

beforeAll(() => {
  // What gitlab-ci-local has in its process.
  Object.assign(globalThis, { RE2JS: { compile: (pattern: string) => new RegExp(pattern) } });
  Object.assign(String.prototype, {
    matchRE2JS(this: string, pattern: RegExp) {
      return this.match(pattern);
    },
  });
});

test.each([
  ['"a" == "a"', true],
  ['"a" != "a" || "b" == \'b\'', true],
  ['("a" == "b" || "c" == "c") && null == null', true],
  ['null == ""', false],
  ['"main".matchRE2JS(RE2JS.compile("^ma\\\\w+$", 0)) != null', true],
  ['"main".matchRE2JS(RE2JS.compile("^x", 0)) != null', false],
  ["false || true", true],
  ['"\\u0041" == "A"', true],
])("%s", (text, expected) => {
  expect(Boolean(evaluateCondition(text))).toBe(expected);
});

test.each([
  "process.exit(1)",
  '"a" == "a"; process.exit(1)',
  '"\\";globalThis.was = true//"" == "x"',
  "(() => { globalThis.was = true })()",
  '"a".constructor.constructor("globalThis.was = true")()',
  '"a" == `a`',
  '"a" ==',
  '"open',
  `${"(".repeat(5_000)}"a"${")".repeat(5_000)}`,
  "",
])("no other code is run: %s", (text) => {
  expect(() => evaluateCondition(text)).toThrow(/no condition/);
  expect(globalThis).not.toHaveProperty("was");
});

test("its own source text is all it needs", () => {
  const sent = new Function(`return (${evaluateCondition.toString()})`)() as typeof evaluateCondition;
  expect(sent('"a" == "a" && "b" != "c"')).toBe(true);
});
