/** One result: a line of JSON on standard output, so that runs can be compared by a program. */
export interface BenchResult {
  name: string;
  value: number;
  unit: string;
  p50?: number;
  p99?: number;
  /** The raw thing, without us, measured in the same run and in the same unit. */
  reference?: number;
  /** In words: the bound that was set beforehand. */
  aim: string;
  met: boolean;
  /** What else was measured on the way, with the unit in each name. */
  more?: Record<string, number>;
}

/** Prints the result; an aim that is missed makes the process end with 1. `ratio` is value by reference. */
export function report(result: BenchResult): void {
  const { name, value, unit, p50, p99, reference, aim, met, more } = result;
  const ratio = reference === undefined ? undefined : round(value / reference);
  const line = {
    ...{ name, value: round(value), unit, p50: rounded(p50), p99: rounded(p99) },
    ...{ reference: rounded(reference), ratio, aim, met },
    ...(more && { more: Object.fromEntries(Object.entries(more).map(([key, part]) => [key, round(part)])) }),
  };
  console.log(JSON.stringify(line));
  if (!met) process.exitCode = 1;
}

/** What goes on meanwhile, for people: on standard error, so that standard output holds the result only. */
export function progress(text: string): void {
  console.error(`  ${text}`);
}

/** The numbers of the command line: `npm run bench -- storm 100` gives 100, a missing one its default. */
export function numberArgument(position: number, fallback: number): number {
  const text = process.argv.slice(2).filter((word) => !word.startsWith("--"))[position];
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no whole number above 0`);
  return value;
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : round(value);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
