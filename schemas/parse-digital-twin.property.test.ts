import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDigitalTwin } from "./parse-digital-twin.ts";
import { parsePlatform } from "./parse-platform.ts";
import { parseWorkspace } from "./parse-workspace.ts";

const options = { file: "dt.yaml", folder: "tank", user: "user1" };

/** Fragments that a YAML reader trips over, in any order. */
const fragments = fc.array(
  fc.constantFrom(
    ..."- |? |: |, |[|]|{|}|#|&a |*a |!x |!!str |%YAML 1.1|---|...|\n|\n  |\n    |\t|'|\"|\\|>|<<: |__proto__: |~|null|1.5|0x|.inf|é|🌊|\u2028".split(
      "|",
    ),
    "|",
    "apiVersion: dtaas/v1\n",
    "kind: DigitalTwin\n",
    "metadata: { name: tank }\n",
    "spec:\n",
    "  lifecycle:\n",
    "    execute: { run: a }\n",
    "  dependsOn: [a]\n",
    "  environment:\n",
  ),
  { maxLength: 60 },
);

/** Any JSON where the language expects something else. */
const misfits = fc.record(
  Object.fromEntries(
    [
      "integrationLevel",
      "state",
      "suspend",
      "workspace",
      "assets",
      "environment",
      "lifecycle",
      "dependsOn",
      "health",
      "restart",
      "rollout",
      "resources",
    ].map((field) => [field, fc.jsonValue({ maxDepth: 3 })]),
  ),
  { requiredKeys: [] },
);

function check(result: ReturnType<typeof parseDigitalTwin>): void {
  const { document, diagnostics, locate } = result;
  expect(document !== undefined).toBe(!diagnostics.some(({ severity }) => severity === "error"));
  for (const { code, line, column, message } of diagnostics) {
    expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(line).toBeGreaterThanOrEqual(1);
    expect(column).toBeGreaterThanOrEqual(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  }
  const order = diagnostics.map(({ line, column }) => line * 1e6 + column);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(locate("/spec/any/0").line).toBeGreaterThanOrEqual(1);
}

describe("whatever somebody pushes, the answer is a result", () => {
  test("any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) =>
        check(parseDigitalTwin(text, options)),
      ),
    );
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => check(parseDigitalTwin(bytes, options))),
    );
  });

  test("any mixture of YAML's own signs", () => {
    fc.assert(
      fc.property(fragments, (parts) => check(parseDigitalTwin(parts.join(""), options))),
      { numRuns: 500 },
    );
  });

  test("any data in any field", () => {
    fc.assert(
      fc.property(misfits, (spec) => {
        const twin = { apiVersion: "dtaas/v1", kind: "DigitalTwin", metadata: { name: "tank" }, spec };
        check(parseDigitalTwin(JSON.stringify(twin), options));
      }),
      { numRuns: 300 },
    );
  });

  test("a good document cut off, or with one character changed, anywhere", () => {
    const good = `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: tank, labels: { a: b } }
spec:
  state: running
  assets: [{ model: common/models/a }]
  environment: { A: "1", B: 2 }
  lifecycle:
    execute: &op { run: [python3, main.py], timeout: 5m }
    create: *op
  health: { http: { port: 8000 } }
`;
    expect(parseDigitalTwin(good, options).diagnostics).toEqual([]);
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.string({ unit: "grapheme", maxLength: 2 }),
        fc.boolean(),
        (at, extra, cut) => {
          check(parseDigitalTwin(good.slice(0, at) + extra + (cut ? "" : good.slice(at + 1)), options));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("the same holds for platform.yaml and workspace.yaml", () => {
    fc.assert(
      fc.property(fragments, (parts) => {
        const text = parts.join("");
        for (const parsed of [parsePlatform(text, { file: "f" }), parseWorkspace(text, { file: "f" })]) {
          const isBroken = parsed.diagnostics.some(({ severity }) => severity === "error");
          expect(parsed.document === undefined).toBe(isBroken);
        }
      }),
    );
  });
});
