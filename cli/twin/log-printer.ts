import { stripVTControlCharacters } from "node:util";
import { printable } from "#schemas/quote";
import type { LogLine } from "#schemas/run";
import type { CommandContext } from "../command-context.ts";

/** Prints log lines as they come: the twin's own words, or NDJSON. A twin cannot play with the terminal. */
export function logPrinter(context: CommandContext): { onLine: (line: LogLine) => void; onLost: () => void } {
  const { io, json, paint } = context;
  return {
    onLine: (line) => {
      if (json) io.out(`${JSON.stringify(line)}\n`);
      else if (line.stream === "platform") io.out(`${paint("cyan", safe(line.text))}\n`);
      else io.out(`${line.stream === "err" ? paint("yellow", safe(line.text)) : safe(line.text)}\n`);
    },
    onLost: () => io.err("the connection was lost; going on where it was\n"),
  };
}

function safe(text: string): string {
  return stripVTControlCharacters(text)
    .split("\t")
    .map((part) => printable(part, Number.POSITIVE_INFINITY))
    .join("\t");
}
