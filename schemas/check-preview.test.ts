import { expect, test } from "vitest";
import { parseDigitalTwin } from "./parse-digital-twin.ts";

function parse(spec: string, scripts: string[] = []) {
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\nspec:\n${spec}`;
  const file = "digital_twins/tank/dt.yaml";
  const { document, diagnostics } = parseDigitalTwin(text, { file, folder: "tank", user: "user1", scripts });
  const said = diagnostics.map(({ code, line, severity, hint }) => ({ code, line, severity, hint }));
  return { document, said };
}

const lifecycle = `  lifecycle:
    create: { run: [true] }
    execute: { run: [true], outputs: [data/tank/output] }
`;

test("an empty preview runs create and execute for five minutes and lives an hour", () => {
  const { document, said } = parse(`${lifecycle.replaceAll("true", '"true"')}  preview: {}\n`);
  expect(said).toEqual([]);
  expect(document?.preview).toEqual({
    operations: ["create", "execute"],
    durationMs: 300_000,
    ttlMs: 3_600_000,
    compare: [],
  });
});

test("what is written is taken, and is no part of what the twin runs from", () => {
  const { document, said } = parse(`  preview:
    operations: [execute]
    duration: 30s
    ttl: 2h
    compare: [{ file: ./data/tank/output/level.csv, column: level, tolerance: 0.5 }]
  lifecycle: { execute: { run: ["true"], outputs: [data/tank/output/] } }
`);
  expect(said).toEqual([]);
  expect(document?.preview).toEqual({
    operations: ["execute"],
    durationMs: 30_000,
    ttlMs: 7_200_000,
    compare: [{ file: "data/tank/output/level.csv", column: "level", tolerance: 0.5 }],
  });
  expect(document?.spec).not.toHaveProperty("preview");
});

test("a twin without preview has none", () => {
  expect(parse("  state: stopped\n", ["execute"]).document).not.toHaveProperty("preview");
});

test("an operation that the twin does not have is an error that names the one that was meant", () => {
  const { document, said } = parse(`  preview: { operations: [exceute] }\n`, ["execute"]);
  expect(said).toEqual([
    { code: "unknown-operation", line: 5, severity: "error", hint: expect.stringContaining("execute") },
  ]);
  expect(document).toBeUndefined();
});

test("a preview with nothing to run is an error", () => {
  expect(parse("  preview: {}\n", ["analyse"]).said).toMatchObject([
    { code: "preview-empty", severity: "error", hint: expect.stringContaining("analyse") },
  ]);
});

test("terminate in a preview is a warning, since there is nothing to end", () => {
  const { document, said } = parse("  preview: { operations: [execute, terminate] }\n", [
    "execute",
    "terminate",
  ]);
  expect(said).toMatchObject([{ code: "preview-terminate", severity: "warning" }]);
  expect(document?.preview?.operations).toEqual(["execute", "terminate"]);
});

test("a file that no operation of the preview keeps is a warning, with the path that was meant where it is clear", () => {
  const of = (file: string, operations = "[execute]") =>
    parse(`  lifecycle:
    execute: { run: ["true"], outputs: [data/tank/output] }
    analyse: { run: ["true"], outputs: [data/tank/report.csv] }
  preview: { operations: ${operations}, compare: [{ file: ${file}, column: level }] }
`).said;
  expect(of("data/tank/output/level.csv")).toEqual([]);
  expect(of("output/level.csv")).toMatchObject([
    {
      code: "compare-not-kept",
      severity: "warning",
      hint: expect.stringContaining("data/tank/output/level.csv"),
    },
  ]);
  expect(of("data/tank/output2/level.csv")).toMatchObject([
    { code: "compare-not-kept", hint: expect.stringContaining("lifecycle.execute.outputs") },
  ]);
  expect(of("data/tank/report.csv")).toMatchObject([{ code: "compare-not-kept" }]);
  expect(of("data/tank/report.csv", "[execute, analyse]")).toEqual([]);
});

test.each([
  ["operations: []", "empty-value"],
  ["operations: [execute, execute]", "duplicate-item"],
  ["operations: execute", "wrong-type"],
  ["ttl: 30s", "out-of-range"],
  ["ttl: 8d", "out-of-range"],
  ["duration: 500ms", "out-of-range"],
  ["ttl: soon", "invalid-value"],
  ["image: mine", "unknown-field"],
  ["compare: [{ file: /etc/passwd, column: a }]", "invalid-value"],
  ["compare: [{ file: ../a.csv, column: a }]", "invalid-value"],
  ["compare: [{ file: common/a.csv, column: a }]", "invalid-value"],
  ["compare: [{ file: a.csv }]", "missing-field"],
  ["compare: [{ file: a.csv, column: a, tolerance: -1 }]", "out-of-range"],
])("%s is refused (%s)", (preview, code) => {
  const { document, said } = parse(`  preview: { ${preview} }\n`, ["execute"]);
  expect(said.map((finding) => finding.code)).toContain(code);
  expect(document).toBeUndefined();
});

test.each(["", "1", "[]", "~", "{ operations: [1, ~, {}], compare: [1, { file: 2 }] }"])(
  "preview: %s never throws",
  (preview) => {
    expect(() => parse(`  preview: ${preview}\n  lifecycle: { execute: ~ }\n`)).not.toThrow();
  },
);
