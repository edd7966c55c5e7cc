// The engine's times are ISO 8601 with nanoseconds and a fixed width ("2026-01-31T12:00:00.000000001Z"), so that
// they sort as text.

/** The time as nanoseconds since 1970. Fewer digits than nine after the point are read as zeros. */
export function toNano(at: string): bigint {
  const match = /^(.{19})(?:\.(\d{1,9}))?Z$/.exec(at);
  const ms = Date.parse(`${match?.[1] ?? ""}Z`);
  if (!match || Number.isNaN(ms)) throw new RangeError(`not a time of the engine: ${JSON.stringify(at)}`);
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

export function fromNano(nano: bigint): string {
  const seconds = new Date(Number(nano / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nano % 1_000_000_000n).padStart(9, "0")}Z`;
}

/** Seconds with a fraction, as the engine's API takes them. */
export function toEngineSince(nano: bigint): string {
  return `${nano / 1_000_000_000n}.${String(nano % 1_000_000_000n).padStart(9, "0")}`;
}
