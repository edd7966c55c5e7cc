const levels: Record<number, string> = { 40: "warning", 50: "error", 60: "error" };

/** A line of a child's JSON log, as far as a person at the terminal wants it. */
export interface TellingLine {
  level: string;
  text: string;
}

/**
 * What a line of a child's log has to say to the person at the terminal: warnings and errors in one line, whatever is no JSON as
 * it stands (a crash), `undefined` for the rest.
 */
export function tellingLine(line: string): TellingLine | undefined {
  const entry = parse(line);
  if (entry === undefined) return isNoise(line) ? undefined : { level: "error", text: line };
  const level = typeof entry["level"] === "number" ? levels[entry["level"]] : undefined;
  if (level === undefined) return undefined;
  const ids = ["delivery", "project", "user", "twin", "run"].flatMap((name) =>
    typeof entry[name] === "string" ? `${name} ${entry[name]}` : [],
  );
  const reason = reasonOf(entry["err"]);
  const said = typeof entry["msg"] === "string" ? entry["msg"] : "";
  const text = [said, reason].filter((part) => part !== "").join(": ") || line;
  return { level, text: ids.length > 0 ? `${text} (${ids.join(", ")})` : text };
}

/** Of a crash the message is wanted, not the frames and braces around it; the log file has all of it. */
function isNoise(line: string): boolean {
  return /^\s*$|^\s+at |^\s*[{}[\]^]|^Node\.js v|^node:|^\s+(code|requireStack):/.test(line);
}

function reasonOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return "";
  const { message, hint } = value as { message?: unknown; hint?: unknown };
  return [message, hint].filter((part) => typeof part === "string" && part !== "").join("; ");
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
