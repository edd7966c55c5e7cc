import type { ErrorObject, SchemaObject } from "ajv/dist/2020.js";
import type { CompiledSchema } from "./compile-schema.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { maxDiagnosticsPerDocument } from "./limits.ts";
import { recordOf } from "./plain-data.ts";
import { printable, quote } from "./quote.ts";
import { didYouMean, onlyNear } from "./suggest.ts";
import type { YamlDocument } from "./yaml-document.ts";

/** Checks a document against its schema: every problem in plain English, at the key or value at fault. */
export function schemaDiagnostics(
  document: YamlDocument,
  file: string,
  compiled: CompiledSchema,
): Diagnostic[] {
  const problems = compiled.problems(document.value).filter(({ keyword }) => !summaryKeywords.has(keyword));
  return problems.slice(0, maxDiagnosticsPerDocument).flatMap((problem) => {
    const findings = explain(problem, compiled.schema);
    return findings.map(({ code, pointer, part, message, hint, mend }) => ({
      code,
      severity: "error" as const,
      file,
      ...document.locate(pointer, part),
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(mend === undefined ? {} : { mend }),
    }));
  });
}

/** These only repeat that a problem below them exists. */
const summaryKeywords = new Set(["propertyNames"]);

interface Finding {
  code: string;
  pointer: string;
  part: "key" | "value";
  message: string;
  hint?: string | undefined;
  mend?: Diagnostic["mend"] | undefined;
}

function explain(problem: ErrorObject, root: SchemaObject): Finding[] {
  const { instancePath: pointer, keyword, data } = problem;
  const params = problem.params as Record<string, unknown>;
  const schema = (problem.parentSchema ?? {}) as SchemaObject;
  const name = nameOf(pointer);
  const at = (code: string, message: string, hint?: string): Finding[] => [
    { code, pointer, part: "value", message, hint },
  ];
  if (problem.propertyName !== undefined) {
    const key = problem.propertyName;
    const rule = schema["patternErrorMessage"] ?? "has a form that is not allowed";
    const message = `the name ${quote(key)} in ${name} ${rule}`;
    return [{ code: "invalid-name", pointer: below(pointer, key), part: "key", message }];
  }
  switch (keyword) {
    case "additionalProperties":
      return [unknownField(pointer, String(params["additionalProperty"]), schema, root)];
    case "required": {
      const field = String(params["missingProperty"]);
      const about = describe(schema, field);
      const message =
        pointer === "" ? `the field ${quote(field)} is missing` : `${name} lacks the field ${quote(field)}`;
      return [{ code: "missing-field", pointer, part: "key", message, hint: about }];
    }
    case "type":
      return at(
        "wrong-type",
        `${name} must be ${typeWords(params["type"])}, not ${wordFor(data)}`,
        typeHint(schema, data),
      );
    case "enum":
    case "const": {
      const allowed = (keyword === "enum" ? params["allowedValues"] : [params["allowedValue"]]) as unknown[];
      const words = allowed.map((value) => quote(String(value)));
      if (typeof data !== "string" && typeof schema["type"] === "string" && typeof data !== schema["type"])
        return [];
      const message = `${name} must be ${orList(words)}, not ${valueWords(data)}`;
      const known = allowed.map(String);
      const mend = typeof data === "string" ? certainMend(data, known) : undefined;
      return at("unknown-value", message, didYouMean(String(data), known)).map((found) => ({
        ...found,
        mend,
      }));
    }
    case "pattern": {
      const rule = schema["patternErrorMessage"] ?? `must match ${String(params["pattern"])}`;
      return at("invalid-value", `${name} ${rule}, not ${valueWords(data)}`, exampleHint(schema));
    }
    case "x-range": {
      const [least, most] = schema["x-range"] as [string, string];
      return at("out-of-range", `${name} must be between ${least} and ${most}, not ${valueWords(data)}`);
    }
    case "minimum":
    case "maximum": {
      const range = rangeWords(schema);
      return at("out-of-range", `${name} must be ${range}, not ${valueWords(data)}`);
    }
    case "minLength":
    case "minItems":
      return at("empty-value", `${name} must not be empty`, exampleHint(schema));
    case "maxLength":
      return at("too-long", `${name} has more than ${String(params["limit"])} characters`);
    case "maxItems":
    case "maxProperties": {
      if (schema["minProperties"] === 1 && params["limit"] === 1)
        return [oneKind(pointer, schema, "more than one")];
      return at("too-many-items", `${name} has more than ${String(params["limit"])} entries`);
    }
    case "minProperties":
      return [oneKind(pointer, schema, "none")];
    case "uniqueItems":
      return duplicates(pointer, data);
    default:
      return at("invalid-value", `${name} ${problem.message ?? "is not allowed"}`);
  }
}

function unknownField(pointer: string, field: string, schema: SchemaObject, root: SchemaObject): Finding {
  const fields = Object.keys((schema["properties"] ?? {}) as object);
  const where = pointer === "" ? "" : ` in ${nameOf(pointer)}`;
  const homes = placesOf(field, root).filter((home) => home !== pointer);
  const homeHint = homes.length === 0 ? undefined : `it belongs ${orList(homes.map(homeWords))}`;
  const known = fields.length === 0 ? undefined : `known here: ${fields.join(", ")}`;
  return {
    code: "unknown-field",
    pointer: below(pointer, field),
    part: "key",
    message: `unknown field ${quote(field)}${where}`,
    hint: homeHint ?? didYouMean(field, fields) ?? known,
    mend: homeHint === undefined ? certainMend(field, fields) : undefined,
  };
}

function certainMend(from: string, candidates: readonly string[]): Diagnostic["mend"] {
  const to = onlyNear(from, candidates);
  return to === undefined ? undefined : { from, to };
}

/** Fixed places of the language (not inside maps with free names) at which a field of this name exists. */
function placesOf(field: string, root: SchemaObject): string[] {
  const places: string[] = [];
  const visit = (schema: SchemaObject, pointer: string): void => {
    const properties = (resolve(schema, root)["properties"] ?? {}) as Record<string, SchemaObject>;
    if (Object.hasOwn(properties, field)) places.push(pointer);
    for (const [name, child] of Object.entries(properties)) visit(child, below(pointer, name));
  };
  visit(root, "");
  return places;
}

function resolve(schema: SchemaObject, root: SchemaObject): SchemaObject {
  const reference = schema["$ref"] as string | undefined;
  if (reference === undefined) return schema;
  const definitions = (root["$defs"] ?? {}) as Record<string, SchemaObject>;
  return definitions[reference.replace("#/$defs/", "")] ?? {};
}

function oneKind(pointer: string, schema: SchemaObject, found: string): Finding {
  const fields = Object.keys((schema["properties"] ?? {}) as object);
  const message = `${nameOf(pointer)} must have exactly one of ${orList(fields)}, and has ${found}`;
  return { code: "exactly-one", pointer, part: "value", message };
}

function duplicates(pointer: string, data: unknown): Finding[] {
  const seen = new Set<string>();
  return (Array.isArray(data) ? data : []).flatMap((item: unknown, index): Finding[] => {
    const text = JSON.stringify(item) ?? "null";
    if (!seen.has(text)) {
      seen.add(text);
      return [];
    }
    const what = typeof item === "string" ? quote(item) : "the same entry";
    const message = `${what} stands in ${nameOf(pointer)} more than once`;
    return [{ code: "duplicate-item", pointer: below(pointer, String(index)), part: "value", message }];
  });
}

function describe(schema: SchemaObject, field: string): string | undefined {
  const property = ((schema["properties"] ?? {}) as Record<string, SchemaObject>)[field];
  return typeof property?.["description"] === "string" ? property["description"] : undefined;
}

function typeHint(schema: SchemaObject, data: unknown): string | undefined {
  if (data === null) return "give it a value or leave the field out";
  const isPlain = typeof data === "number" || typeof data === "boolean";
  const hint = exampleHint(schema);
  if (hint === undefined && isPlain && [schema["type"]].flat().includes("string"))
    return `put it in quotes: "${data}"`;
  return hint;
}

function exampleHint(schema: SchemaObject): string | undefined {
  const [example] = (schema["examples"] ?? []) as unknown[];
  if (example === undefined) return undefined;
  const fields = recordOf(example);
  if (fields === undefined) return `for example: ${String(example)}`;
  const words = Object.entries(fields).map(([name, value]) => `${name}: ${String(value)}`);
  return `for example: { ${words.join(", ")} }`;
}

function rangeWords(schema: SchemaObject): string {
  return `between ${String(schema["minimum"])} and ${String(schema["maximum"])}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  null: "empty",
};

function typeWords(type: unknown): string {
  return orList([type].flat().map((word) => typeNames[String(word)] ?? String(word)));
}

function wordFor(data: unknown): string {
  if (data === null || data === undefined) return "empty";
  if (Array.isArray(data)) return "a list";
  if (typeof data === "object") return "a mapping";
  return valueWords(data);
}

function valueWords(data: unknown): string {
  return typeof data === "object" ? wordFor(data) : quote(String(data));
}

function orList(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function homeWords(pointer: string): string {
  return pointer === "" ? "at the top level" : `under ${nameOf(pointer)}`;
}

function below(pointer: string, step: string): string {
  return `${pointer}/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A JSON pointer as people say it: `spec.assets[0].model`. */
function nameOf(pointer: string): string {
  if (pointer === "") return "the document";
  const steps = pointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const name = steps.reduce(
    (sum, step) => (/^\d+$/.test(step) ? `${sum}[${step}]` : sum === "" ? step : `${sum}.${step}`),
    "",
  );
  return `\`${printable(name, 120)}\``;
}
