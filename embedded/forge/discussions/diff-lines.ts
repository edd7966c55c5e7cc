/** One line of a file's difference, with its number before and after; `null` where it is not there. */
export interface DiffLine {
  oldLine: number | null;
  newLine: number | null;
}

interface Hunk {
  oldStart: number;
  oldCount: number;
  newStart: number;
  newCount: number;
  lines: DiffLine[];
}

/**
 * Where a line stands that somebody names by its numbers: `"in diff"` for an added line (only `newLine`), a removed one (only
 * `oldLine`) or an unchanged one shown beside them (both), `"beside"` for an unchanged one that is not shown and may lie behind
 * the file's end, `undefined` for none.
 */
export function findLine(diff: string, { oldLine, newLine }: DiffLine): "in diff" | "beside" | undefined {
  const hunks = parseHunks(diff);
  const found = hunks.some((hunk) =>
    hunk.lines.some((line) => line.oldLine === oldLine && line.newLine === newLine),
  );
  if (found) return "in diff";
  if (oldLine === null || newLine === null || oldLine < 1 || newLine < 1) return undefined;
  // Between two hunks both sides go on side by side.
  const before = hunks.filter((hunk) => hunk.newStart <= newLine).at(-1);
  if (!before) return oldLine === newLine && isBefore(hunks[0], oldLine) ? "beside" : undefined;
  const [oldEnd, newEnd] = [endOf(before.oldStart, before.oldCount), endOf(before.newStart, before.newCount)];
  const next = hunks[hunks.indexOf(before) + 1];
  const isBetween = oldLine >= oldEnd && newLine >= newEnd && isBefore(next, oldLine);
  return isBetween && oldLine - oldEnd === newLine - newEnd ? "beside" : undefined;
}

function isBefore(hunk: Hunk | undefined, oldLine: number): boolean {
  return hunk === undefined || oldLine < hunk.oldStart;
}

/** The first line behind a part; git counts an empty one from the line in front of it. */
function endOf(start: number, count: number): number {
  return count === 0 ? start + 1 : start + count;
}

function parseHunks(diff: string): Hunk[] {
  const hunks: Hunk[] = [];
  let oldLine = 0;
  let newLine = 0;
  for (const text of diff.split("\n")) {
    const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(text);
    const lines = hunks.at(-1)?.lines;
    if (head) {
      const [, oldStart, oldCount = "1", newStart, newCount = "1"] = head;
      [oldLine, newLine] = [Number(oldStart), Number(newStart)];
      const counts = { oldCount: Number(oldCount), newCount: Number(newCount) };
      hunks.push({ oldStart: oldLine, newStart: newLine, ...counts, lines: [] });
    } else if (text.startsWith("+")) lines?.push({ oldLine: null, newLine: newLine++ });
    else if (text.startsWith("-")) lines?.push({ oldLine: oldLine++, newLine: null });
    else if (text.startsWith(" ")) lines?.push({ oldLine: oldLine++, newLine: newLine++ });
  }
  return hunks;
}
