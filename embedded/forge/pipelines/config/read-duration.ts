const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
  mo: 30 * 24 * 3_600_000,
  y: 365 * 24 * 3_600_000,
};
const maxMs = 10 * 365 * 24 * 3_600_000; // longer ones are as good as never, and still fit a date

/**
 * A time as `.gitlab-ci.yml` has it, in milliseconds: `5 minutes`, `1h 30m`, `3 mins 4 sec`, `1 week and 2 days`, or seconds as a plain
 * number. `undefined` for `never` and for what is no time.
 */
export function readDuration(text: unknown): number | undefined {
  if (typeof text === "number") return text >= 0 ? Math.min(text * 1_000, maxMs) : undefined;
  if (typeof text !== "string") return undefined;
  const words = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(words)) return Math.min(Number(words) * 1_000, maxMs);
  const part = /(\d+(?:\.\d+)?)\s*([a-z]+)\s*(?:,|and\b)?\s*/y;
  let total = 0;
  for (let at = 0; at < words.length; at = part.lastIndex) {
    part.lastIndex = at;
    const [, count, unit = ""] = part.exec(words) ?? [];
    const ms = unitMs(unit);
    if (count === undefined || ms === undefined) return undefined;
    total += Number(count) * ms;
  }
  return words === "" ? undefined : Math.min(total, maxMs);
}

function unitMs(name: string): number | undefined {
  if (/^(s|secs?|seconds?)$/.test(name)) return units["s"];
  if (/^(m|mins?|minutes?)$/.test(name)) return units["m"];
  if (/^(h|hrs?|hours?)$/.test(name)) return units["h"];
  if (/^(d|days?)$/.test(name)) return units["d"];
  if (/^(w|wks?|weeks?)$/.test(name)) return units["w"];
  if (/^(mo|mths?|mos|months?)$/.test(name)) return units["mo"];
  return /^(y|yrs?|years?)$/.test(name) ? units["y"] : undefined;
}
