import { stripVTControlCharacters } from "node:util";
import { printable } from "#schemas/quote";

const maxCellCharacters = 200;

export interface Cell {
  text: string;
  /** Adds colour; applied after the width is known. */
  paint?: (text: string) => string;
}

/** Columns of equal width under their titles; what others wrote cannot move the cursor. */
export function table(titles: readonly string[], rows: readonly (readonly (string | Cell)[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const { text, paint } = typeof cell === "string" ? { text: cell, paint: undefined } : cell;
      return { text: oneLine(text), paint };
    }),
  );
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.text.length ?? 0)),
  );
  const line = (row: readonly { text: string; paint?: ((text: string) => string) | undefined }[]) =>
    row
      .map(({ text, paint }, column) => {
        const padding = column === row.length - 1 ? "" : " ".repeat((widths[column] ?? 0) - text.length);
        return `${paint ? paint(text) : text}${padding}`;
      })
      .join("  ")
      .trimEnd();
  return [line(titles.map((text) => ({ text }))), ...cells.map(line)].map((text) => `${text}\n`).join("");
}

/** Text of somebody else's on one line of a terminal. */
export function oneLine(text: string): string {
  return printable(stripVTControlCharacters(text), maxCellCharacters);
}
