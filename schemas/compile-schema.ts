import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ErrorObject, type SchemaObject, type ValidateFunction } from "ajv/dist/2020.js";
import { packageRoot } from "#core/package-root";
import { parseDuration } from "./duration.ts";
import { parseSize } from "./size.ts";

/** A compiled schema: the problems of a value, none when it is valid. */
export interface CompiledSchema {
  schema: SchemaObject;
  problems(value: unknown): readonly ErrorObject[];
}

const compiled = new Map<string, CompiledSchema>();

/**
 * The schema in `schemas/<name>.schema.json`, read and compiled on first use, then kept. With `allErrors: false` (for
 * what machines write) it stops at the first problem.
 */
export function compileSchema(name: string, { allErrors } = { allErrors: true }): CompiledSchema {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const schema = JSON.parse(
    readFileSync(join(packageRoot, "schemas", `${name}.schema.json`), "utf8"),
  ) as SchemaObject;
  // Nearly all that is checked is valid: looking for one problem is quicker than for all, also where branches are tried.
  const find = compile(schema, { allErrors: false });
  let findAll: ValidateFunction | undefined;
  const result: CompiledSchema = {
    schema,
    problems: (value) => {
      if (find(value)) return [];
      if (!allErrors) return find.errors ?? [];
      findAll ??= compile(schema, { allErrors: true });
      findAll(value);
      return findAll.errors ?? [];
    },
  };
  compiled.set(name, result);
  return result;
}

function compile(schema: SchemaObject, { allErrors }: { allErrors: boolean }): ValidateFunction {
  const ajv = new Ajv2020({ allErrors, verbose: true, allowUnionTypes: true });
  ajv.addKeyword("patternErrorMessage"); // an editor's word, shown instead of the pattern
  ajv.addKeyword({
    keyword: "x-range", // smallest and largest duration or size
    schemaType: "array",
    type: "string",
    errors: false,
    compile: ([smallest, largest]: [string, string]) => {
      const [least, most] = [quantity(smallest) ?? 0, quantity(largest) ?? Number.POSITIVE_INFINITY];
      return (text: string) => {
        const amount = quantity(text);
        return amount === undefined || (amount >= least && amount <= most); // `pattern` tells what is no quantity
      };
    },
  });
  return ajv.compile(schema);
}

function quantity(text: string): number | undefined {
  return parseDuration(text) ?? parseSize(text);
}
