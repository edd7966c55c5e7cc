import { ActionNeededError } from "#core/errors";
import { recordOf } from "./plain-data.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";
import type { Parameters, ParameterValue } from "./twin-spec.ts";

/** Parameters as JSON, in bytes: they are environment variables as well, and one of those has at most 128 KiB. */
export const maxParameterBytes = 32 * 1024;
/** Lists and mappings inside one another in what is given for one run; nobody writes so many by hand. */
const maxGivenDepth = 16;
const maxGivenTextCharacters = 8192; // of one text, as in dt.yaml

/** Parameters with those given for one run over them: mappings are joined name by name, all else is replaced. */
export function mergeParameters(
  declared: Parameters | undefined,
  given: Parameters | undefined,
): Parameters | undefined {
  if (declared === undefined || given === undefined) return given ?? declared;
  const merged: Parameters = { ...declared };
  for (const [name, value] of Object.entries(given)) {
    const before = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const inner = isMapping(before) && isMapping(value) ? mergeParameters(before, value) : undefined;
    merged[name] = inner ?? value;
  }
  return merged;
}

/**
 * `DT_PARAM_<name>` for every parameter, and `DT_PARAM_<name>__<name>` for those inside mappings. Text as it is,
 * everything else as JSON.
 */
export function parameterVariables(parameters: Parameters | undefined): Record<string, string> {
  const variables: Record<string, string> = {};
  const add = (prefix: string, values: Parameters): void => {
    for (const [name, value] of Object.entries(values)) {
      variables[`${prefix}${name}`] = typeof value === "string" ? value : JSON.stringify(value);
      if (isMapping(value)) add(`${prefix}${name}__`, value);
    }
  };
  add("DT_PARAM_", parameters ?? {});
  return variables;
}

/**
 * What somebody gives for one run, checked against what the twin declares: only names that dt.yaml has, each with a
 * value of the same kind. Errors: `PARAMETER_UNKNOWN`, `PARAMETER_REFUSED`.
 */
export function checkGivenParameters(given: unknown, declared: Parameters | undefined): Parameters {
  const values = recordOf(given);
  if (values === undefined) throw refused("the parameters", "must be a mapping of names and values");
  checkGiven(values, declared ?? {}, "");
  const bytes = Buffer.byteLength(JSON.stringify(mergeParameters(declared, values as Parameters)));
  if (bytes <= maxParameterBytes) return values as Parameters;
  throw refused(
    "the parameters",
    `have ${bytes} bytes as JSON; at most ${maxParameterBytes} are handed to a run`,
  );
}

function checkGiven(given: Record<string, unknown>, declared: Parameters, within: string): void {
  for (const [name, value] of Object.entries(given)) {
    const path = within === "" ? name : `${within}.${name}`;
    const wanted = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (wanted === undefined) {
      const known = Object.keys(declared);
      throw new ActionNeededError("PARAMETER_UNKNOWN", `there is no parameter ${quote(path)}`, {
        hint:
          didYouMean(name, known) ??
          (known.length === 0 ? "declare it under spec.parameters" : `known here: ${known.join(", ")}`),
      });
    }
    const kind = kindOf(value);
    if (kind !== kindOf(wanted)) {
      throw refused(quote(path), `must be ${kindOf(wanted)}, as in dt.yaml, not ${kind}`);
    }
    const inner = recordOf(value);
    if (inner !== undefined && isMapping(wanted)) checkGiven(inner, wanted, path);
    else checkPlain(value, path);
  }
}

/** Whatever a list holds may differ from dt.yaml; it still has to be what dt.yaml could say. */
function checkPlain(value: unknown, path: string): void {
  const open = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value: current, depth } = next;
    if (depth > maxGivenDepth) throw refused(quote(path), `is nested more than ${maxGivenDepth} levels deep`);
    if (current === null || current === undefined) throw refused(quote(path), "must not be empty");
    if (typeof current === "string" && (current.length > maxGivenTextCharacters || current.includes("\0"))) {
      throw refused(quote(path), `must be text of at most ${maxGivenTextCharacters} characters, without NUL`);
    }
    if (typeof current !== "object") continue;
    const names = Array.isArray(current) ? [] : Object.keys(current);
    const odd = names.find((name) => !/^(?=.{1,64}$)[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*$/.test(name));
    if (odd !== undefined) throw refused(quote(path), `has a name that is not allowed: ${quote(odd)}`);
    for (const inner of Object.values(current)) open.push({ value: inner, depth: depth + 1 });
  }
}

function refused(what: string, why: string): ActionNeededError {
  return new ActionNeededError("PARAMETER_REFUSED", `${what} ${why}`, {
    hint: "on the command line: --param name=37, --param name=true, --param 'name=\"text\"', --param outer.inner=1",
  });
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "empty";
  const words = { string: "text", number: "a number", boolean: "true or false", object: "a mapping" };
  return words[typeof value as keyof typeof words] ?? "something else";
}

function isMapping(value: ParameterValue | undefined): value is Parameters {
  return typeof value === "object" && !Array.isArray(value);
}
