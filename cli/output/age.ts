const units = [
  { name: "d", ms: 86_400_000 },
  { name: "h", ms: 3_600_000 },
  { name: "m", ms: 60_000 },
  { name: "s", ms: 1_000 },
] as const;

/** A length of time in at most two units: `3m 5s`, `2h`, `0.4s`. */
export function lengthOf(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)}s`;
  let rest = ms;
  const parts: string[] = [];
  for (const unit of units) {
    const count = Math.floor(rest / unit.ms);
    rest -= count * unit.ms;
    if (count > 0) parts.push(`${count}${unit.name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** How long ago a time was; `-` where there is none. */
export function ageOf(time: string | null, nowMs: number): string {
  if (time === null) return "-";
  return lengthOf(nowMs - Date.parse(time));
}
