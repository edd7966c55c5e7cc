import type { Diff, FileDiff } from "../compare/read-diff.ts";
import { type Html, html, type Piece } from "./html.ts";

const maxLines = 3_000; // of one file; more nobody reads on a page
const maxAllLines = 10_000; // of all files; those behind them are told by their names
const maxLineLength = 2_000; // characters; the rest of a longer line is left out

/** One line of a diff, with the numbers it has before and after. */
export interface DiffLine {
  kind: "same" | "add" | "del" | "hunk" | "note";
  oldLine: number | undefined;
  newLine: number | undefined;
  text: string;
}

export interface DiffOptions {
  /** What stands below a line, such as what people have said about it. */
  below?: (file: FileDiff, line: DiffLine) => Piece;
  /** Where the numbers of a line lead. */
  linkOf?: (file: FileDiff, line: DiffLine) => string | undefined;
}

/** Files of a diff, each as a table. */
export function diffTables({ files, isOverflow }: Diff, options: DiffOptions = {}): Html {
  if (files.length === 0 && !isOverflow) return html`<p>Nothing changes.</p>`;
  let left = maxAllLines;
  const sections = files.map((file) => {
    const lines = diffLines(file.text);
    const table = left > 0 ? tableOf(file, lines, options) : html`<p class="soft">Look at it with git.</p>`;
    left -= Math.min(lines.length, maxLines);
    return html`<section class="card"><h3 class="path">${titleOf(file)}</h3>${table}</section>`;
  });
  return html`${sections}${isOverflow && html`<p class="notice">There are more changes than can be shown; look at them with git.</p>`}`;
}

function titleOf({ status, oldPath, newPath }: FileDiff): Piece {
  const words: Readonly<Record<string, string>> = { A: "added", D: "removed", R: "renamed", C: "copied" };
  const name = oldPath === newPath ? newPath : `${oldPath} → ${newPath}`;
  const word = words[status];
  return word === undefined ? name : html`${name} <span class="soft">${word}</span>`;
}

function tableOf(file: FileDiff, lines: readonly DiffLine[], { below, linkOf }: DiffOptions): Piece {
  if (file.isTooLarge)
    return html`<p class="soft">This change is too large to be shown; look at it with git.</p>`;
  if (lines.length === 0) return html`<p class="soft">The text stays as it is.</p>`;
  const rows = lines.slice(0, maxLines).map((line) => {
    const beneath = below?.(file, line);
    const href = linkOf?.(file, line);
    const number = (value: number | undefined) =>
      href === undefined || value === undefined
        ? value
        : html`<a href="${href}" rel="nofollow" aria-label="Say something about line ${value}">${value}</a>`;
    return html`<tr class="${line.kind}"><td class="number">${number(line.oldLine)}</td><td class="number">${number(line.newLine)}</td><td>${line.text.slice(0, maxLineLength)}</td></tr>
${beneath !== undefined && html`<tr><td colspan="3" class="said">${beneath}</td></tr>`}`;
  });
  return html`<div class="scroll"><table class="diff">${rows}</table></div>
${lines.length > maxLines && html`<p class="soft">${lines.length - maxLines} lines more.</p>`}`;
}

/** Reads the text of a diff from the first `@@` on. */
export function diffLines(text: string): DiffLine[] {
  let oldLine = 0;
  let newLine = 0;
  return text
    .replace(/\n$/, "")
    .split("\n")
    .flatMap((line): DiffLine[] => {
      if (text === "") return [];
      const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
      if (hunk) {
        oldLine = Number(hunk[1]);
        newLine = Number(hunk[2]);
        return [{ kind: "hunk", oldLine: undefined, newLine: undefined, text: line }];
      }
      if (line.startsWith("+")) return [{ kind: "add", oldLine: undefined, newLine: newLine++, text: line }];
      if (line.startsWith("-")) return [{ kind: "del", oldLine: oldLine++, newLine: undefined, text: line }];
      if (line.startsWith(" ")) return [{ kind: "same", oldLine: oldLine++, newLine: newLine++, text: line }];
      return [{ kind: "note", oldLine: undefined, newLine: undefined, text: line }];
    });
}
