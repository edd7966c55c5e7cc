import type { Document, Pair, Scalar, YAMLMap } from "yaml";
import { ActionNeededError } from "#core/errors";
import { readYaml } from "./yaml-document.ts";
import { isMap, isScalar, parseDocument } from "./yaml-library.ts";

type State = "running" | "stopped";

/**
 * The text of a dt.yaml with `spec.state` set, everything else (comments, order, quotes, line ends) as it was. The
 * same text where it says so already. Errors: `SPEC_BROKEN` (with the place) for a file that cannot be read,
 * `STATE_NOT_EDITABLE` for one that is written in a way that cannot be changed safely.
 */
export function editState(text: string, state: State, file: string): string {
  const problem = readYaml(text, file).diagnostics.find((finding) => finding.severity === "error");
  if (problem) {
    const { line, column } = problem;
    throw new ActionNeededError("SPEC_BROKEN", `${file}:${line}:${column}: ${problem.message}`, {
      where: { file, line, column },
      hint: problem.hint ?? "mend the file and push, then try again",
    });
  }
  const document = parse(text);
  if (document.getIn(["spec", "state"]) === state) return text;
  const edited = edit(text, document, state);
  if (edited === undefined || !isOnlyChange(document, parse(edited), state)) {
    throw new ActionNeededError("STATE_NOT_EDITABLE", `spec.state cannot be changed safely in ${file}`, {
      where: { file },
      hint: `write \`state: ${state}\` on a line of its own below \`spec:\` and push`,
    });
  }
  return edited;
}

function parse(text: string): Document.Parsed {
  return parseDocument(text, { version: "1.2", schema: "core", merge: false, resolveKnownTags: false });
}

function edit(text: string, document: Document.Parsed, state: State): string | undefined {
  const spec = pairOf(document.contents, "spec");
  if (!spec) return undefined;
  const old = pairOf(spec.value, "state");
  if (old) return replaceValue(text, old, state);
  if (!isMap(spec.value)) return isEmpty(spec.value) ? addSpec(text, spec, state) : undefined;
  return addState(text, spec.value, state);
}

/** A scalar that is there: its characters change, nothing beside them. */
function replaceValue(text: string, pair: Pair, state: State): string | undefined {
  const { value } = pair;
  if (isEmpty(value)) {
    const colon = endOfKey(text, pair);
    return colon === undefined ? undefined : `${text.slice(0, colon)} ${state}${text.slice(colon)}`;
  }
  if (!isScalar(value) || !value.range || value.anchor !== undefined) return undefined;
  return `${text.slice(0, value.range[0])}${state}${text.slice(value.range[1])}`;
}

/** `spec:` with nothing behind it. */
function addSpec(text: string, spec: Pair, state: State): string | undefined {
  const colon = endOfKey(text, spec);
  if (colon === undefined) return undefined;
  const newLine = text.includes("\r\n") ? "\r\n" : "\n";
  const lineEnd = text.indexOf(newLine, colon);
  const at = lineEnd === -1 ? text.length : lineEnd;
  return `${text.slice(0, at)}${newLine}  state: ${state}${text.slice(at)}`;
}

/** A line before the first field of a block, or an entry at the beginning of `{...}`. */
function addState(text: string, spec: YAMLMap, state: State): string | undefined {
  const start = spec.range?.[0];
  if (start === undefined) return undefined;
  if (spec.flow) {
    const rest = spec.items.length === 0 ? " " : ",";
    return `${text.slice(0, start + 1)} state: ${state}${rest}${text.slice(start + 1)}`;
  }
  const first = spec.items[0]?.key;
  const at = isScalar(first) ? first.range?.[0] : undefined;
  if (at === undefined) return undefined;
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  const indent = text.slice(lineStart, at);
  if (!/^ +$/.test(indent)) return undefined; // an anchor, a tag or `? ` before the key
  const newLine = text.includes("\r\n") ? "\r\n" : "\n";
  return `${text.slice(0, at)}state: ${state}${newLine}${indent}${text.slice(at)}`;
}

function pairOf(holder: unknown, name: string): Pair | undefined {
  if (!isMap(holder)) return undefined;
  return holder.items.find((item) => isScalar(item.key) && item.key.value === name);
}

function endOfKey(text: string, pair: Pair): number | undefined {
  const end = isScalar(pair.key) ? (pair.key as Scalar).range?.[1] : undefined;
  return end !== undefined && text[end] === ":" ? end + 1 : undefined;
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (isScalar(value) && value.value === null && !value.source);
}

/** The edit is believed only when reading it again shows the new state and otherwise the same document. */
function isOnlyChange(before: Document.Parsed, after: Document.Parsed, state: State): boolean {
  if (after.errors.length > 0 || after.getIn(["spec", "state"]) !== state) return false;
  return withoutState(before) === withoutState(after);
}

function withoutState(document: Document.Parsed): string {
  const value = document.toJS() as { spec?: Record<string, unknown> | null };
  const { state: _state, ...spec } = value.spec ?? {};
  return JSON.stringify({ ...value, spec });
}
