import type { FileDiff } from "../compare/read-diff.ts";
import { type Html, html, type Piece } from "./html.ts";

const maxLines = 3_000; // of one file; more nobody reads on a page

/** One line of a diff, with the numbers it has before and after. */
export interface DiffLine {
  kind: "same" | "add" | "del" | "hunk" | "note";
  oldLine: number | undefined;
  newLine: number | undefined;
  text: string;
}

/** What stands below a line, such as what people have said about it. */
export type BelowLine = (file: FileDiff, line: DiffLine) => Piece;

/** Files of a diff, each as a table. */
export function diffTables(files: readonly FileDiff[], below?: BelowLine): Html {
  if (files.length === 0) return html`<p>Nothing changes.</p>`;
  return html`${files.map(
    (file) =>
      html`<section class="card"><h3 class="path">${titleOf(file)}</h3>${tableOf(file, below)}</section>`,
  )}`;
}

function titleOf({ status, oldPath, newPath }: FileDiff): Piece {
  const words: Readonly<Record<string, string>> = { A: "added", D: "removed", R: "renamed", C: "copied" };
  const name = oldPath === newPath ? newPath : `${oldPath} → ${newPath}`;
  const word = words[status];
  return word === undefined ? name : html`${name} <span class="soft">${word}</span>`;
}

function tableOf(file: FileDiff, below: BelowLine | undefined): Piece {
  if (file.isTooLarge)
    return html`<p class="soft">This change is too large to be shown; look at it with git.</p>`;
  const lines = diffLines(file.text);
  if (lines.length === 0) return html`<p class="soft">The text stays as it is.</p>`;
  const rows = lines.slice(0, maxLines).map((line) => {
    const beneath = below?.(file, line);
    return html`<tr class="${line.kind}"><td class="number">${line.oldLine}</td><td class="number">${line.newLine}</td><td>${line.text}</td></tr>
${beneath !== undefined && html`<tr><td colspan="3">${beneath}</td></tr>`}`;
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
