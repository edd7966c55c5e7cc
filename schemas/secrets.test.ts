import { expect, test } from "vitest";
import { parseDigitalTwin } from "./parse-digital-twin.ts";
import { type SecretProblem, secretDiagnostic } from "./secret-diagnostic.ts";

function secretsOf(lines: string) {
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\nspec:\n${lines}`;
  const parsed = parseDigitalTwin(text, {
    file: "dt.yaml",
    folder: "tank",
    user: "user1",
    scripts: ["execute"],
  });
  expect(parsed.diagnostics).toEqual([]);
  return parsed.document?.spec;
}

test("a secret is a name, or a name with how it is given", () => {
  expect(secretsOf("  secrets: [A_1, { name: B, env: true }, { name: C }]\n")?.secrets).toEqual([
    { name: "A_1", env: false },
    { name: "B", env: true },
    { name: "C", env: false },
  ]);
});

test("a spec without secrets has no such field, so that its source key stays what it was", () => {
  expect(secretsOf("  secrets: []\n")).not.toHaveProperty("secrets");
  expect(secretsOf("  suspend: false\n")).not.toHaveProperty("secrets");
});

const place = { file: "digital_twins/tank/dt.yaml", line: 5, column: 13 };

test("a missing secret is told at its line, with the name that was probably meant", () => {
  const problem: SecretProblem = { kind: "missing", known: ["PLANT_TOKEN", "OTHER"], unreadable: [] };
  expect(secretDiagnostic("PLANT_TOKN", problem, place)).toEqual({
    code: "secret-missing",
    severity: "error",
    ...place,
    message:
      "the secret `PLANT_TOKN` has no value: the project has no such CI/CD variable and no file `secrets/PLANT_TOKN.age`",
    hint: "did you mean `PLANT_TOKEN`?",
  });
  const alone: SecretProblem = { kind: "missing", known: [], unreadable: ["dtaas"] };
  expect(secretDiagnostic("TOKEN", alone, place).hint).toBe(
    "set it: dtaas secret set TOKEN; variables of `dtaas` cannot be read: the platform's account has to be an owner there",
  );
});

test("every problem is an error with something to do about it", () => {
  const problems: SecretProblem[] = [
    { kind: "elsewhere", scopes: ["production"], environment: "dtaas/tank" },
    { kind: "protected", branch: "main" },
    { kind: "hidden" },
    { kind: "unreadable", project: "dtaas/user1" },
    { kind: "file-broken", file: "secrets/TOKEN.age", reason: "is no age file" },
    { kind: "too-large", bytes: 70_000, limit: 65_536 },
    { kind: "not-environment" },
    { kind: "no-key" },
  ];
  const found = problems.map((problem) => secretDiagnostic("TOKEN", problem, place));
  for (const { message, hint, severity } of found) {
    expect([severity, message.includes("`TOKEN`"), (hint ?? "").length > 10]).toEqual(["error", true, true]);
  }
  expect(new Set(found.map(({ code }) => code)).size).toBe(problems.length);
});
