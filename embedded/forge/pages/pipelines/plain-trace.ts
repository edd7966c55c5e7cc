import { stripVTControlCharacters } from "node:util";

/** A trace as a terminal would leave it, without colours: marks of sections go, and what a line was written over with counts. */
export function plainTrace(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/section_(?:start|end):\d{1,15}:[\w.[\]=,-]{1,200}\r?/g, "")
    .split("\n")
    .map(lastOfLine)
    .join("\n");
}

/** What is left of a line that goes back to its beginning. */
function lastOfLine(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end -= 1;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
}
