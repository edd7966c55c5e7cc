import type { Diagnostic } from "#schemas/diagnostic";
import type { Paint } from "./paint.ts";
import { oneLine } from "./table.ts";

/** As a compiler prints them: `file:line:column: error: message [code]`, and below it what to do. */
export function diagnosticLines(
  diagnostics: readonly Diagnostic[],
  paint: Paint,
  showFile: (file: string) => string = (file) => file,
): string[] {
  return diagnostics.flatMap(({ file, line, column, severity, message, code, hint }) => {
    const place = paint("bold", `${oneLine(showFile(file))}:${line}:${column}:`);
    const kind = paint(severity === "error" ? "red" : "yellow", `${severity}:`);
    return [
      `${place} ${kind} ${oneLine(message)} ${paint("dim", `[${code}]`)}`,
      ...(hint === undefined ? [] : [`    ${paint("cyan", "hint:")} ${oneLine(hint)}`]),
    ];
  });
}
