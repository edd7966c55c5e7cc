import { expect, test } from "vitest";
import { parseDigitalTwin } from "./parse-digital-twin.ts";

function parse(schedule: string, state = "stopped") {
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\nspec:\n  state: ${state}\n  schedule: ${schedule}\n`;
  const options = { file: "dt.yaml", folder: "tank", user: "user1", scripts: ["execute", "save"] };
  return parseDigitalTwin(text, options);
}

test("a schedule has a time for each operation, in UTC unless it says otherwise", () => {
  const { document, diagnostics } = parse(
    '{ execute: "0 6 * * *", save: { cron: "*/5 * * * MON-FRI", timeZone: Europe/Copenhagen } }',
  );
  expect(diagnostics).toEqual([]);
  expect(document?.schedule).toEqual({
    execute: { cron: "0 6 * * *", timeZone: "UTC" },
    save: { cron: "*/5 * * * MON-FRI", timeZone: "Europe/Copenhagen" },
  });
});

test("a twin without one has none, and it is no part of what restarts a twin", () => {
  expect(parse("{}").document).not.toHaveProperty("schedule");
  expect(parse('{ save: "0 6 * * *" }').document?.spec).toEqual(parse("{}").document?.spec);
});

test.each([
  ['{ safe: "0 6 * * *" }', "unknown-operation", 15, "did you mean `save`?"],
  ['{ save: "0 6 * *" }', "invalid-value", 21, "for example: 0 6 * * *"],
  ['{ save: "0 0 6 * * *" }', "invalid-value", 21, "for example: 0 6 * * *"],
  ['{ save: "@daily" }', "invalid-value", 21, "for example: 0 6 * * *"],
  ['{ save: "0 25 * * *" }', "schedule-invalid", 21, "for example"],
  ['{ save: "0 0 31 2 *" }', "schedule-invalid", 21, "for example"],
  ['{ save: { cron: "0 6 * * *", timeZone: Mars/Base } }', "schedule-invalid", 21, "for example"],
  ["{ save: { timeZone: UTC } }", "missing-field", 15, "A cron expression"],
  ["{ save: 6 }", "wrong-type", 21, "for example: 0 6 * * *"],
])("%s is refused where it stands", (schedule, code, column, hint) => {
  const { document, diagnostics } = parse(schedule);
  expect(diagnostics).toMatchObject([{ code, severity: "error", line: 6, column }]);
  expect(diagnostics[0]?.hint).toContain(hint);
  expect(document).toBeUndefined();
});

test("an execute that is kept up cannot be scheduled as well; other operations can", () => {
  expect(parse('{ execute: "0 6 * * *" }', "running").diagnostics).toMatchObject([
    { code: "schedule-kept-up", line: 6, column: 15 },
  ]);
  expect(parse('{ save: "0 6 * * *" }', "running").diagnostics).toEqual([]);
});
