import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "#core/package-root";
import { compileSchema } from "./compile-schema.ts";
import { parseDuration } from "./duration.ts";
import { isOperationName } from "./operation-name.ts";
import { parseSize } from "./size.ts";
import { isTwinName } from "./twin-name.ts";

const folder = join(packageRoot, "schemas");
const names = readdirSync(folder).filter((name) => name.endsWith(".schema.json"));

interface Schema {
  [keyword: string]: unknown;
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  $defs?: Record<string, Schema>;
}

function load(name: string): Schema {
  return JSON.parse(readFileSync(join(folder, name), "utf8")) as Schema;
}

/** Every schema inside a schema, with where it stands. */
function* parts(schema: Schema, path: string): Generator<[string, Schema]> {
  yield [path, schema];
  for (const [name, child] of Object.entries({ ...schema.properties, ...schema.$defs }))
    yield* parts(child, `${path}/${name}`);
  for (const keyword of ["items", "additionalProperties"]) {
    const child = schema[keyword];
    if (typeof child === "object" && child !== null) yield* parts(child as Schema, `${path}/${keyword}`);
  }
}

describe("the schemas that editors use", () => {
  test("there is one for each kind of document", () => {
    expect(names.sort()).toEqual([
      "digital-twin.schema.json",
      "platform.schema.json",
      "workspace.schema.json",
    ]);
  });

  test.each(names)("%s describes every field and lets no unknown one through", (name) => {
    for (const [path, part] of parts(load(name), "")) {
      if (typeof part["$ref"] === "string") continue;
      expect(part.description, `description of ${path}`).toMatch(/^\S.*[.`]$/);
      if (part.type === "object") expect(part["additionalProperties"], path).toBeDefined();
      if (part.properties) expect(part["additionalProperties"], path).toBe(false);
      if (part["pattern"])
        expect(part["patternErrorMessage"], `words for the pattern of ${path}`).toBeTypeOf("string");
      if (part.type === "array") expect(part["maxItems"], `limit of ${path}`).toBeTypeOf("number");
    }
  });

  test("what the three share is the same in all", () => {
    const twin = load("digital-twin.schema.json").$defs ?? {};
    for (const name of names) {
      for (const [definition, schema] of Object.entries(load(name).$defs ?? {}))
        expect(schema).toEqual(twin[definition]);
    }
  });

  test("every example in them is valid", () => {
    const example = (kind: string, spec: object) => ({ apiVersion: "dtaas/v1", kind, spec });
    expect(compileSchema("platform").problems(example("Platform", { group: "dtaas" }))).toEqual([]);
    expect(compileSchema("workspace").problems(example("Workspace", {}))).toEqual([]);
  });

  test("names in code and in the schema are the same rule", () => {
    const twin = { apiVersion: "dtaas/v1", kind: "DigitalTwin" };
    const { problems } = compileSchema("digital-twin");
    const longest = "a".repeat(39);
    for (const name of [
      "a",
      "A_b-9",
      longest,
      `${longest}a`,
      "",
      "9a",
      "-a",
      "a.b",
      "a b",
      "ä",
      "a\n",
      "constructor",
      "a_B",
    ]) {
      const asTwin = problems({ ...twin, metadata: { name }, spec: {} });
      expect(asTwin.length === 0, `twin ${name}`).toBe(isTwinName(name));
      const asOperation = problems({
        ...twin,
        metadata: { name: "a" },
        spec: { lifecycle: { [name]: { run: "x" } } },
      });
      expect(asOperation.length === 0, `operation ${name}`).toBe(isOperationName(name));
    }
  });

  test("the generated types are up to date", () => {
    const script = join(packageRoot, "scripts", "generate-types.mjs");
    expect(execFileSync(process.execPath, [script, "--check"], { encoding: "utf8" })).toBe("");
  });
});

describe("quantities", () => {
  test.each([
    ["0s", 0],
    ["500ms", 500],
    ["5s", 5000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["90d", 7_776_000_000],
    ["5", undefined],
    ["05s", undefined],
    ["1.5h", undefined],
    ["-1s", undefined],
    ["1 s", undefined],
    ["1S", undefined],
    ["s", undefined],
    ["", undefined],
    ["1s\n", undefined],
  ])("the duration %j is %s ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ["512Mi", 536_870_912],
    ["1Gi", 1_073_741_824],
    ["100M", 100_000_000],
    ["1k", 1000],
    ["2Ti", 2_199_023_255_552],
    ["1", undefined],
    ["0Mi", undefined],
    ["1.5Gi", undefined],
    ["1GB", undefined],
    ["1mi", undefined],
    ["", undefined],
  ])("the size %j is %s bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});
