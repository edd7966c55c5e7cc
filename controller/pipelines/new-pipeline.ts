import { ActionNeededError } from "#core/errors";
import type { NewPipeline } from "../forge/forge-pipelines.ts";

const maxVariables = 100;
const maxValueCharacters = 10_000; // what a variable of GitLab can hold
const maxInputs = 50;

/** Names that today's pipelines of DTaaS know. */
export const twinVariable = "DTName";
export const operationVariable = "DTOperation";

/**
 * Reads what somebody wants to start. `twin` and `operation` are short for the variables that the jobs of DTaaS go by.
 * `BAD_REQUEST` for what is no such wish; whether it can be started is the host's to say.
 */
export function readNewPipeline(body: unknown, defaultRef: string): Omit<NewPipeline, "token"> {
  const { ref = defaultRef, variables = {}, inputs, twin, operation } = recordOf(body, "the body");
  if (typeof ref !== "string" || !/^[^\s-][^\s]{0,254}$/.test(ref)) {
    throw bad("ref must be the name of a branch or tag");
  }
  const given = Object.entries(recordOf(variables, "variables"));
  if (given.length > maxVariables) throw bad(`there may be ${maxVariables} variables at most`);
  const all = new Map<string, string>();
  for (const [name, value] of given) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name))
      throw bad("the name of a variable has letters, digits and _");
    if (typeof value !== "string" || value.length > maxValueCharacters) {
      throw bad(`the variable ${name} must be a text of at most ${maxValueCharacters} characters`);
    }
    all.set(name, value);
  }
  if (twin !== undefined) all.set(twinVariable, nameOf(twin, "twin"));
  if (operation !== undefined) all.set(operationVariable, nameOf(operation, "operation"));
  return {
    ref,
    variables: Object.fromEntries(all),
    ...(inputs === undefined ? {} : { inputs: readInputs(inputs) }),
  };
}

function readInputs(inputs: unknown): Record<string, unknown> {
  const given = recordOf(inputs, "inputs");
  if (Object.keys(given).length > maxInputs) throw bad(`there may be ${maxInputs} inputs at most`);
  return given;
}

function nameOf(value: unknown, what: string): string {
  if (typeof value === "string" && /^[A-Za-z][A-Za-z0-9_-]{0,99}$/.test(value)) return value;
  throw bad(`${what} must be the name of one`);
}

function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw bad(`${what} must be an object`);
}

function bad(message: string): ActionNeededError {
  return new ActionNeededError("BAD_REQUEST", message, { hint: "see /api/v1/openapi.json" });
}
