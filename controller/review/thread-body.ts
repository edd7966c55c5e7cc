import type { Diagnostic } from "#schemas/diagnostic";
import { block, code, prose } from "./markdown.ts";

/** What the thread of a problem says; `line` is the text it stands in, for a suggestion where the mend is certain. */
export function threadBody(diagnostic: Diagnostic, line: string | undefined): string {
  const { severity, code: kind, message, hint } = diagnostic;
  const mended = line === undefined ? undefined : mendLine(diagnostic, line);
  return [
    `**${severity === "error" ? "Error" : "Warning"}** ${code(kind)}: ${prose(message)}`,
    ...(hint === undefined ? [] : [`Hint: ${prose(hint)}`]),
    ...(mended === undefined ? [] : [block("suggestion", mended)]),
  ].join("\n\n");
}

/** The line with its mend, where what is to be replaced stands exactly where the problem was found. Pure. */
export function mendLine({ mend, column }: Diagnostic, line: string): string | undefined {
  if (mend === undefined || /[\r\n`]/.test(line + mend.to)) return undefined;
  const at = column - 1;
  for (const quoted of ["", '"', "'"]) {
    const from = `${quoted}${mend.from}${quoted}`;
    if (!line.startsWith(from, at)) continue;
    const after = line.slice(at + from.length);
    if (quoted === "" && /^[\w-]/.test(after)) return undefined; // a longer word
    return `${line.slice(0, at)}${quoted}${mend.to}${quoted}${after}`;
  }
  return undefined;
}
