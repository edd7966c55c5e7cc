import { badParameter } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { GivenVariable } from "./ci-records.ts";
import { maxGivenVariables } from "./create-pipeline.ts";

const maxValue = 10_000; // characters, as of stored ones

/** `[{key, value, variable_type}]`. */
export function givenVariables(parameters: Parameters, name: string): GivenVariable[] {
  const read = (parameters.records(name) ?? []).map((each) =>
    checked({
      key: each.required("key"),
      value: each.text("value") ?? "",
      type: each.choice("variable_type", ["env_var", "file"]) ?? "env_var",
      raw: each.boolean("raw") ?? false,
    }),
  );
  return limited(read);
}

/** `{KEY: "value"}`, as triggers take them. */
export function variableMap(value: unknown): GivenVariable[] {
  if (value === undefined || value === null) return [];
  const isMap = typeof value === "object" && !Array.isArray(value);
  const entries = isMap ? Object.entries(value as Record<string, unknown>) : [];
  if (!isMap || entries.some(([, each]) => typeof each !== "string")) {
    throw badParameter("variables needs to be a map of key-valued strings");
  }
  return limited(
    entries.map(([key, each]) => checked({ key, value: each as string, type: "env_var", raw: false })),
  );
}

export function checked(variable: GivenVariable): GivenVariable {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(variable.key)) throw badParameter("variables[key] is invalid");
  if (variable.value.length > maxValue || variable.value.includes("\0")) {
    throw badParameter("variables[value] is invalid");
  }
  return variable;
}

function limited(variables: GivenVariable[]): GivenVariable[] {
  if (variables.length > maxGivenVariables)
    throw badParameter(`variables has more than ${maxGivenVariables} entries`);
  return variables;
}
