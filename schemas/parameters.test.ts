import { describe, expect, test } from "vitest";
import { checkGivenParameters, mergeParameters, parameterVariables } from "./parameters.ts";
import { parseDigitalTwin } from "./parse-digital-twin.ts";

const declared = {
  initialTemperature: 24.5,
  name: "lab",
  controller: { upper: 36, lower: 34 },
  steps: [1, 2],
};

function parse(parameters: string) {
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\nspec:\n  parameters: ${parameters}\n`;
  return parseDigitalTwin(text, { file: "dt.yaml", folder: "tank", user: "user1", scripts: ["execute"] });
}

describe("parameters in dt.yaml", () => {
  test("keep the kinds that they are written in", () => {
    const { document, diagnostics } = parse(
      '{ a: 24.50, b: "24.50", c: true, d: [1, x], e: { f: { g: 0 } } }',
    );
    expect(diagnostics).toEqual([]);
    expect(document?.spec.parameters).toEqual({
      a: 24.5,
      b: "24.50",
      c: true,
      d: [1, "x"],
      e: { f: { g: 0 } },
    });
  });

  test("none are the same as an empty mapping", () => {
    expect(parse("{}").document?.spec).toEqual(parse("{}\n  suspend: false").document?.spec);
    expect(parse("{}").document?.spec.parameters).toBeUndefined();
  });

  test.each([
    ["{ two__parts: 1 }", "invalid-name", 17],
    ["{ _a: 1 }", "invalid-name", 17],
    ["{ a: { b-c: 1 } }", "invalid-name", 22],
    ["{ a: { b: } }", "wrong-type", 22],
    ["{ a: .inf }", "wrong-type", 20],
    ["[1]", "wrong-type", 15],
  ])("%s is refused where it stands", (text, code, column) => {
    expect(parse(text).diagnostics).toMatchObject([{ code, severity: "error", line: 5, column }]);
  });

  test("that are too large to be handed to a run are refused with the limit", () => {
    const long = "x".repeat(8000);
    const { diagnostics } = parse(`{ a: ${long}, b: ${long}, c: ${long}, d: ${long}, e: ${long} }`);
    expect(diagnostics).toMatchObject([{ code: "parameters-too-large", line: 5, column: 3 }]);
    expect(diagnostics[0]?.message).toContain("at most 32768");
  });
});

test("each parameter is a variable, those inside mappings too", () => {
  expect(parameterVariables(declared)).toEqual({
    DT_PARAM_initialTemperature: "24.5",
    DT_PARAM_name: "lab",
    DT_PARAM_controller: '{"upper":36,"lower":34}',
    DT_PARAM_controller__upper: "36",
    DT_PARAM_controller__lower: "34",
    DT_PARAM_steps: "[1,2]",
  });
  expect(parameterVariables(undefined)).toEqual({});
});

test("what is given for a run joins mappings and replaces all else", () => {
  expect(mergeParameters(declared, { controller: { upper: 40 }, steps: [3] })).toEqual({
    ...declared,
    controller: { upper: 40, lower: 34 },
    steps: [3],
  });
  expect(mergeParameters(undefined, undefined)).toBeUndefined();
});

describe("parameters given for one run", () => {
  test("that the twin declares are taken", () => {
    const given = { controller: { lower: 30 }, name: "", steps: [] };
    expect(checkGivenParameters(given, declared)).toEqual(given);
  });

  test.each([
    [{ initialTemprature: 1 }, "PARAMETER_UNKNOWN", "did you mean `initialTemperature`?"],
    [{ controller: { uper: 1 } }, "PARAMETER_UNKNOWN", "did you mean `upper`?"],
    [{ constructor: 1 }, "PARAMETER_UNKNOWN", "known here"],
    [JSON.parse('{"__proto__": 1}'), "PARAMETER_UNKNOWN", "known here"],
    [{ initialTemperature: "hot" }, "PARAMETER_REFUSED", "--param"],
    [{ controller: 1 }, "PARAMETER_REFUSED", "--param"],
    [{ name: null }, "PARAMETER_REFUSED", "--param"],
    [{ name: "a\0b" }, "PARAMETER_REFUSED", "--param"],
    [{ steps: [null] }, "PARAMETER_REFUSED", "--param"],
    [{ steps: [{ "a b": 1 }] }, "PARAMETER_REFUSED", "--param"],
    [
      { steps: ["x".repeat(8000), "x".repeat(8000), "x".repeat(8000), "x".repeat(8000), "x".repeat(8000)] },
      "PARAMETER_REFUSED",
      "--param",
    ],
    [[1], "PARAMETER_REFUSED", "--param"],
  ])("%j is refused with what to do", (given, code, hint) => {
    expect(() => checkGivenParameters(given, declared)).toThrow(
      expect.objectContaining({ code, hint: expect.stringContaining(hint) }),
    );
  });

  test("of a twin that declares none are refused", () => {
    expect(() => checkGivenParameters({ a: 1 }, undefined)).toThrow("there is no parameter `a`");
  });

  test("nested without end are refused, not followed", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 20_000; level += 1) deep = [deep];
    expect(() => checkGivenParameters({ steps: deep }, declared)).toThrow("nested more than 16 levels");
  });
});
