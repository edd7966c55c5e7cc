import type { Alias, CST, Document, LineCounter as Lines, Tags, YAMLError } from "yaml";
import { decodeText } from "./decode-text.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { maxDepth, maxDiagnosticsPerDocument, maxLexemes, maxNodes } from "./limits.ts";
import { printable } from "./quote.ts";
import { offsetOf, readYamlNodes, scalarText } from "./read-yaml-nodes.ts";
import {
  Composer,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  Schema,
} from "./yaml-library.ts";

/** A place in a file. Lines and columns start at 1. */
export interface Place {
  line: number;
  column: number;
}

/**
 * Where the value at a JSON pointer stands (or its key, for `"key"`). For what is not in the document: the nearest
 * surrounding key. Never throws.
 */
export type Locate = (pointer: string, part?: "key" | "value") => Place;

/** A document that could be read, with everything wrong about its YAML. */
export interface YamlDocument {
  /** Plain data: records have no prototype keys, scalars are as YAML 1.2 says. `undefined` when nothing can be read. */
  value: unknown;
  /** The value at a JSON pointer as it was written, for scalars that stand without quotes. */
  source(pointer: string): string | undefined;
  locate: Locate;
  diagnostics: Diagnostic[];
  /** Line of the first syntax error: what follows cannot be trusted. */
  brokenFromLine: number | undefined;
}

/**
 * Text that begins with a letter or sign with which neither a number nor a word of YAML (`null`, `true`, `~`, ...) begins.
 * It comes before all tests for those, which would be made one after another for every word of a document.
 */
const plainText = {
  tag: "tag:yaml.org,2002:str",
  default: true,
  test: /^[^-+.~0-9nNtTfF]/,
  resolve: (text: string) => text,
};

const composing = {
  version: "1.2",
  schema: new Schema({ schema: "core", customTags: (tags: Tags) => [plainText, ...tags] }),
  uniqueKeys: false, // found by readYamlNodes, in linear time
} as const;

/** Reads one YAML 1.2 document with all limits. Never throws, whatever the input. */
export function readYaml(input: string | Uint8Array, file: string): YamlDocument {
  const start: Place = { line: 1, column: 1 };
  const refused = (diagnostics: Diagnostic[]): YamlDocument => ({
    value: undefined,
    source: () => undefined,
    locate: () => start,
    diagnostics,
    brokenFromLine: 1,
  });
  const { text, problem } = decodeText(input);
  if (problem !== undefined) {
    const { code, message, hint } = problem;
    const found = placesOf(text)(problem.offset);
    return refused([{ code, severity: "error", file, ...found, message, hint }]);
  }
  const place = placesOf(text);
  const finding = (code: string, offset: number, message: string, hint?: string): Diagnostic => ({
    code,
    severity: "error",
    file,
    ...place(offset),
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  try {
    const tokens = parseTokens(text);
    if (tokens === undefined) {
      return refused([finding("too-many-values", 0, `the file has more than ${maxLexemes} words and signs`)]);
    }
    const tooMuch = checkTokens(tokens);
    if (tooMuch !== undefined) return refused([finding(tooMuch.code, tooMuch.offset, tooMuch.message)]);
    const documents = [...new Composer(composing).compose(tokens, true, text.length)];
    return readDocuments(documents, { finding, place, refused });
  } catch (error) {
    // The parser met something it was not made for (a stack that is too deep, say): the document's fault, not ours.
    const reason = error instanceof Error ? printable(error.message, 120) : "unknown";
    return refused([finding("yaml-syntax", 0, `the file cannot be read as YAML (${reason})`)]);
  }
}

interface Reading {
  finding(code: string, offset: number, message: string, hint?: string): Diagnostic;
  place(offset: number): Place;
  refused(diagnostics: Diagnostic[]): YamlDocument;
}

function readDocuments(documents: Document.Parsed[], reading: Reading): YamlDocument {
  const { finding, place, refused } = reading;
  const [document, second] = documents;
  if (document === undefined) return refused([finding("empty-document", 0, "the file is empty")]);
  const diagnostics: Diagnostic[] = [];
  const syntaxErrors = document.errors.slice(0, maxDiagnosticsPerDocument);
  for (const error of syntaxErrors) diagnostics.push(syntaxFinding(error, finding));
  for (const { code, pos } of document.warnings.slice(0, maxDiagnosticsPerDocument)) {
    if (code !== "TAG_RESOLVE_FAILED") continue;
    const hint = "text that begins with `!` needs quotes";
    diagnostics.push(finding("custom-tag", pos[0], "tags of one's own (`!...`) are not allowed", hint));
  }
  if (second !== undefined) {
    const hint = "write each document into a file of its own";
    const offset = second.range[0];
    diagnostics.push(
      finding("several-documents", offset, "the file holds more than one YAML document", hint),
    );
  }
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== "1.2") {
    diagnostics.push(finding("yaml-version", 0, `the file asks for YAML ${version}; only 1.2 is read`));
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    if (diagnostics.length > 0) return refused(diagnostics);
    return refused([finding("empty-document", 0, "the file is empty")]);
  }
  const brokenFromLine =
    syntaxErrors.length === 0 ? undefined : Math.min(...syntaxErrors.map(({ pos }) => place(pos[0]).line));
  const nodes = readYamlNodes(document.contents, (code, offset, message, hint) => {
    if (diagnostics.length >= maxDiagnosticsPerDocument * 2) return;
    const found = finding(code, offset, message, hint);
    if (brokenFromLine === undefined || found.line < brokenFromLine) diagnostics.push(found);
  });
  const node = (pointer: string) => findNode(document.contents, pointer, nodes.targets);
  return {
    value: nodes.value,
    source: (pointer) => {
      const found = node(pointer);
      if (!found.exact || !isScalar(found.value)) return undefined;
      return found.value.type === "PLAIN" ? found.value.source : undefined;
    },
    locate: (pointer, part = "value") => {
      const found = node(pointer);
      return place(part === "key" || !found.exact ? found.keyOffset : found.valueOffset);
    },
    diagnostics,
    brokenFromLine,
  };
}

/** The syntax tree of a text, still without meaning; `undefined` when it has too many parts. Does not recurse. */
function parseTokens(text: string): CST.Token[] | undefined {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > maxLexemes) return undefined;
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** Refuses what is too deep or too large before recursive code sees it. */
function checkTokens(
  tokens: readonly CST.Token[],
): { code: string; offset: number; message: string } | undefined {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    count += 1;
    if (count > maxNodes) {
      const message = `the file has more than ${maxNodes} values`;
      return { code: "too-many-values", offset: 0, message };
    }
    if (token.type === "document") {
      if (token.value) open.push({ token: token.value, depth });
    } else if ("items" in token) {
      if (depth >= maxDepth) {
        const message = `values are nested more than ${maxDepth} levels deep`;
        return { code: "too-deep", offset: token.offset, message };
      }
      for (const { key, value } of token.items) {
        if (key) open.push({ token: key, depth: depth + 1 });
        if (value) open.push({ token: value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

const syntaxHints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "line it up with what it belongs to",
  BLOCK_AS_IMPLICIT_KEY: 'put a value that contains ": " in quotes',
  MISSING_CHAR: "close the quote, bracket or brace, or add the missing colon or comma",
  BAD_SCALAR_START: "put the value in quotes",
  MULTILINE_IMPLICIT_KEY: "is a colon missing after the key?",
};

function syntaxFinding(error: YAMLError, finding: Reading["finding"]): Diagnostic {
  const isOpen = error.message.includes("end with a");
  const hint = isOpen ? syntaxHints["MISSING_CHAR"] : syntaxHints[error.code];
  return finding("yaml-syntax", error.pos[0], printable(error.message, 200), hint);
}

interface FoundNode {
  exact: boolean;
  keyOffset: number;
  valueOffset: number;
  value: unknown;
}

/** Follows a JSON pointer as far as it goes. */
function findNode(root: unknown, pointer: string, targets: ReadonlyMap<Alias, unknown>): FoundNode {
  let value: unknown = root;
  let valueOffset = offsetOf(root);
  let keyOffset = valueOffset;
  const steps = pointer === "" ? [] : pointer.slice(1).split("/");
  for (const step of steps) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const holder: unknown = isAlias(value) ? targets.get(value) : value;
    let child: unknown;
    let childKey: unknown;
    if (isMap(holder)) {
      const pair = holder.items.find(
        (item) => isPair(item) && isScalar(item.key) && scalarText(item.key) === name,
      );
      if (pair === undefined) return { exact: false, keyOffset, valueOffset, value };
      childKey = pair.key;
      child = pair.value;
    } else if (isSeq(holder) && holder.items.length > Number(name)) {
      child = holder.items[Number(name)];
    } else {
      return { exact: false, keyOffset, valueOffset, value };
    }
    keyOffset = offsetOf(childKey ?? child);
    // An empty value has no place of its own: its key is where to look.
    const isEmpty = !child || (isScalar(child) && child.value === null && !child.source);
    valueOffset = isEmpty ? keyOffset : offsetOf(child);
    value = child;
  }
  return { exact: true, keyOffset, valueOffset, value };
}

/** Line and column of an offset; the lines are counted when somebody asks, as most documents have nothing wrong. */
function placesOf(text: string): (offset: number) => Place {
  let lines: Lines | undefined;
  return (offset) => {
    lines ??= countLines(text);
    const { line, col } = lines.linePos(Math.max(0, offset));
    return { line, column: col };
  };
}

function countLines(text: string): Lines {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) lines.addNewLine(end + 1);
  return lines;
}
