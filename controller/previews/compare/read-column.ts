import type { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { messageOf } from "#core/errors";
import { quote } from "#schemas/quote";
import { didYouMean } from "#schemas/suggest";

/** A file that is larger is not read: what is compared is to be looked at by people. */
export const maxCsvBytes = 32 * 1024 * 1024;
const maxRows = 1_000_000; // eight bytes each are held
const maxRowBytes = 64 * 1024; // a file without line ends is refused early
const maxNamedColumns = 8;

export type Column = { values: number[] } | { problem: string };

/**
 * The numbers of one column of a CSV file: commas, a heading line, a number in every row. What it cannot be read as is said in
 * words for people. What the stream itself throws is thrown on.
 */
export async function readColumn(file: Readable, heading: string): Promise<Column> {
  const rows = parse({
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: maxRowBytes,
  });
  file.once("error", (error) => rows.destroy(error));
  file.pipe(rows);
  try {
    return await collect(rows as AsyncIterable<string[]>, heading);
  } catch (error) {
    if (error instanceof CsvError) return { problem: `is no CSV file: ${messageOf(error)}` };
    throw error;
  } finally {
    file.destroy();
    rows.destroy();
  }
}

async function collect(rows: AsyncIterable<string[]>, heading: string): Promise<Column> {
  const values: number[] = [];
  let at: number | undefined;
  for await (const row of rows) {
    if (at === undefined) {
      at = row.indexOf(heading);
      if (at < 0) return { problem: missingColumn(heading, row) };
      continue;
    }
    if (values.length >= maxRows) return { problem: `has more than ${maxRows} rows` };
    const text = row[at] ?? "";
    const value = text === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value)) {
      const what = text === "" ? "is empty" : `is ${quote(text)}, which is no number`;
      return { problem: `has a row ${values.length + 1} in which ${quote(heading)} ${what}` };
    }
    values.push(value);
  }
  if (at === undefined) return { problem: "is empty" };
  return values.length === 0 ? { problem: "has no rows" } : { values };
}

function missingColumn(heading: string, row: readonly string[]): string {
  const names = row.slice(0, maxNamedColumns).map((name) => quote(name));
  const more = row.length > maxNamedColumns ? ", ..." : "";
  const near = didYouMean(heading, row);
  return `has no column ${quote(heading)}: it has ${names.join(", ")}${more}${near ? `; ${near}` : ""}`;
}
