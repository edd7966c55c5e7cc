import { expect, test } from "vitest";
import { parseDigitalTwin } from "#schemas/parse-digital-twin";
import { hostileSpecs } from "./hostile-specs.ts";

test.each(hostileSpecs)("the spec $name is refused as $code at its place", ({ name, code, text }) => {
  const file = `digital_twins/${name}/dt.yaml`;
  const { document, diagnostics } = parseDigitalTwin(text, {
    file,
    folder: name,
    user: "mallory",
    scripts: ["execute"],
    templates: ["base", "python"],
  });
  expect(document).toBeUndefined();
  const found = diagnostics.find((diagnostic) => diagnostic.code === code);
  expect(found, JSON.stringify(diagnostics.slice(0, 3))).toMatchObject({ severity: "error", file });
  expect(found?.line).toBeGreaterThan(0);
  expect(JSON.stringify(diagnostics).length).toBeLessThan(100_000);
});

test("nothing of the corpus reaches the prototype of all objects", () => {
  for (const { name, text } of hostileSpecs)
    parseDigitalTwin(text, { file: "dt.yaml", folder: name, user: "mallory" });
  expect(({} as Record<string, unknown>)["privileged"]).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});
