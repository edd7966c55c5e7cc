import { badParameter, badRequest } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { VariableRecord } from "../store/records.ts";

const maxKey = 255;
const maxValue = 10_000; // characters, as in GitLab
const maxScope = 255;
const maxDescription = 255;
// What can be recognised in a job's log: one line; where references are expanded, fewer characters are told apart.
const maskable = /^[A-Za-z0-9_+=/@:.~-]{8,}$/;
const maskableRaw = /^\S{8,}$/;

export type VariableFields = Pick<
  VariableRecord,
  "value" | "type" | "protected" | "masked" | "hidden" | "raw" | "environmentScope" | "description"
>;

const settings = ["value", "variable_type", "protected", "masked", "raw", "environment_scope", "description"];

export function hasVariableFields(parameters: Parameters): boolean {
  return parameters.hasAny(settings);
}

export const freshFields: VariableFields = {
  value: "",
  type: "env_var",
  protected: false,
  masked: false,
  hidden: false,
  raw: false,
  environmentScope: "*",
  description: null,
};

/** Throws 400 in GitLab's words. */
export function checkedKey(parameters: Parameters): string {
  const key = parameters.required("key");
  const wrong: string[] = [];
  if (key === "") wrong.push("can't be blank");
  if (key.length > maxKey) wrong.push(`is too long (maximum is ${maxKey} characters)`);
  if (!/^[A-Za-z0-9_]*$/.test(key)) wrong.push("can contain only letters, digits and '_'.");
  if (wrong.length > 0) throw badRequest({ key: wrong });
  return key;
}

/** What a request says, over what holds so far. Throws 400 in GitLab's words. */
export function variableFields(
  parameters: Parameters,
  before: VariableFields,
  isNew: boolean,
): VariableFields {
  const hides = isNew && parameters.boolean("masked_and_hidden") === true;
  const fields: VariableFields = {
    value: parameters.text("value") ?? before.value,
    type: parameters.choice("variable_type", ["env_var", "file"]) ?? before.type,
    protected: parameters.boolean("protected") ?? before.protected,
    masked: hides || (parameters.boolean("masked") ?? before.masked),
    hidden: hides || before.hidden,
    raw: parameters.boolean("raw") ?? before.raw,
    environmentScope: parameters.filled("environment_scope") ?? before.environmentScope,
    description: parameters.has("description")
      ? (parameters.filled("description") ?? null)
      : before.description,
  };
  if (before.hidden && !fields.masked) {
    throw badRequest({
      base: ["The visibility setting cannot be changed for masked and hidden variables."],
    });
  }
  const { value, environmentScope, description } = fields;
  if (value.includes("\0")) throw badParameter("value is invalid");
  if ([...value].length > maxValue) {
    throw badRequest({ value: [`is too long (maximum is ${maxValue} characters)`] });
  }
  if (fields.masked && !(fields.raw ? maskableRaw : maskable).test(value)) {
    throw badRequest({ value: ["is invalid"] });
  }
  if (!/^[A-Za-z0-9_/$.{} *-]+$/.test(environmentScope)) {
    throw badRequest({
      environment_scope: [
        "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces",
      ],
    });
  }
  if (environmentScope.length > maxScope) {
    throw badRequest({ environment_scope: [`is too long (maximum is ${maxScope} characters)`] });
  }
  if (description !== null && description.length > maxDescription) {
    throw badRequest({ description: [`is too long (maximum is ${maxDescription} characters)`] });
  }
  return fields;
}
