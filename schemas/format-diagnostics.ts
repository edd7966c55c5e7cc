import { styleText } from "node:util";
import type { Diagnostic } from "./diagnostic.ts";
import { printable } from "./quote.ts";

/** Longer lines of source are cut: what is at fault stands at the left of almost every line. */
const maxSourceCharacters = 160;

export interface FormatOptions {
  /** Text of a file, for the line at fault with a mark under it. */
  source?: (file: string) => string | undefined;
  /** Where it will be written: colours when that is a terminal that wants them. Default: plain text. */
  stream?: NodeJS.WritableStream;
}

type Style = "bold" | "red" | "yellow" | "cyan" | "dim";

/** Prints findings like a compiler: `path:line:column: error code: message`, a hint, and the line at fault. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: FormatOptions = {}): string {
  const { stream } = options;
  const paint = (style: Style, text: string): string =>
    stream === undefined ? text : styleText(style, text, { stream });
  const lines = new Map<string, string[] | undefined>();
  const lineOf = (file: string, line: number): string | undefined => {
    if (!lines.has(file)) lines.set(file, options.source?.(file)?.split(/\r?\n/));
    return lines.get(file)?.[line - 1];
  };
  return diagnostics
    .map((diagnostic) => format(diagnostic, lineOf(diagnostic.file, diagnostic.line), paint))
    .join("");
}

function format(
  diagnostic: Diagnostic,
  line: string | undefined,
  paint: (style: Style, text: string) => string,
): string {
  const { code, severity, file, column, message, hint } = diagnostic;
  const place = `${printable(file, 300)}:${diagnostic.line}:${column}`;
  const colour = severity === "error" ? "red" : "yellow";
  let text = `${paint("bold", `${place}:`)} ${paint(colour, `${severity} ${code}`)}: ${message}\n`;
  if (line !== undefined && line.trim() !== "" && column <= maxSourceCharacters) {
    // Tabs become one space, so that the mark stands under its character.
    const gutter = String(diagnostic.line);
    const shown = printable(line.replaceAll("\t", " "), maxSourceCharacters);
    const before = printable(line.slice(0, column - 1).replaceAll("\t", " "), maxSourceCharacters);
    const width = [...before].reduce((sum, character) => sum + (isWide(character) ? 2 : 1), 0);
    text += `  ${paint("dim", `${gutter} |`)} ${shown}\n`;
    text += `  ${paint("dim", `${" ".repeat(gutter.length)} |`)} ${" ".repeat(width)}${paint(colour, "^")}\n`;
  }
  if (hint !== undefined) text += `  ${paint("cyan", "hint:")} ${hint}\n`;
  return text;
}

/** Characters that take two columns of a terminal. */
function isWide(character: string): boolean {
  return /\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Emoji_Presentation}|[\uff01-\uff60]/u.test(
    character,
  );
}

/** `2 errors, 1 warning`, or `no problems`. */
export function countDiagnostics(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const warnings = diagnostics.length - errors;
  const parts = [
    ...(errors === 0 ? [] : [`${errors} ${errors === 1 ? "error" : "errors"}`]),
    ...(warnings === 0 ? [] : [`${warnings} ${warnings === 1 ? "warning" : "warnings"}`]),
  ];
  return parts.length === 0 ? "no problems" : parts.join(", ");
}
