/** Lines of the new text that a unified diff shows, each with its number in the old one where it is not new. Pure. */
export function diffLines(diff: string): Map<number, number | undefined> {
  const lines = new Map<number, number | undefined>();
  let oldLine = 0;
  let newLine = 0;
  for (const text of diff.split("\n")) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (hunk) {
      [oldLine, newLine] = [Number(hunk[1]), Number(hunk[2])];
    } else if (newLine === 0 && oldLine === 0) {
      // a heading before the first hunk
    } else if (text.startsWith("+")) {
      lines.set(newLine, undefined);
      newLine += 1;
    } else if (text.startsWith("-")) {
      oldLine += 1;
    } else if (text.startsWith(" ")) {
      lines.set(newLine, oldLine);
      oldLine += 1;
      newLine += 1;
    }
  }
  return lines;
}
