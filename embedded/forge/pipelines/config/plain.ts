// Reading values that came out of YAML: whatever is not as expected counts as not there.

export type Plain = Readonly<Record<string, unknown>>;

export function record(value: unknown): Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Plain) : {};
}

/** A scalar as its text. */
export function text(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** A list, or one alone, as texts. */
export function texts(value: unknown): string[] {
  const items: unknown[] = Array.isArray(value) ? value.flat(10) : [value];
  return items.flatMap((each) => text(each) ?? []);
}

export function list(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

export function numbers(value: unknown): number[] {
  return list(value).filter((each): each is number => typeof each === "number");
}

/** `variables:` with each value as its text. */
export function variablesOf(value: unknown): Record<string, string> {
  const read = Object.entries(record(value)).flatMap(([name, each]): [string, string][] => {
    const found = text(each) ?? text(record(each)["value"]) ?? (each === null ? "" : null);
    return found === null ? [] : [[name, found]];
  });
  return Object.fromEntries(read);
}

export function choice<const T extends string>(value: unknown, values: readonly T[], otherwise: T): T {
  return values.find((each) => each === value) ?? otherwise;
}
