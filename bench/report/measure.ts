/** Milliseconds of each of `times` calls, ascending. */
export async function measure(times: number, task: (n: number) => unknown): Promise<number[]> {
  const spent: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const start = performance.now();
    await task(n);
    spent.push(performance.now() - start);
  }
  return spent.sort((a, b) => a - b);
}

/** The value below which this share of ascending numbers lies. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(Math.floor(ascending.length * share), ascending.length - 1)] ?? Number.NaN;
}
