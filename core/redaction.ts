// Forms of credentials that are known by their looks: GitLab tokens, GitHub tokens, age keys, bearer headers,
// credentials inside URLs.
const knownSecrets: [RegExp, string][] = [
  [/\b(?:glpat|gloas|gldt|glrt|glptt|glcbt|glft|glsoat)-[\w.-]{10,}/g, "[redacted token]"],
  [/\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,})/g, "[redacted token]"],
  [/\bAGE-SECRET-KEY-1[A-Z0-9]{20,}/g, "[redacted key]"],
  [/\bwhsec_[A-Za-z0-9+/=]{20,}/g, "[redacted secret]"],
  [/\b(bearer|basic)\s+[\w.~+/=-]{16,}/gi, "$1 [redacted]"],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/@]+@/gi, "$1:[redacted]@"],
];

/** The text with everything that looks like a credential taken out. */
export function redactSecrets(text: string): string {
  return knownSecrets.reduce((clean, [pattern, mark]) => clean.replace(pattern, mark), text);
}

/** A value of at least this many characters is taken out wherever it stands. */
export const redactedAnywhere = 8;
/** A shorter one only where it stands as a word of its own: else `tank` would hide in `tanker`. */
export const redactedAsWord = 4;
// Still shorter ones (`on`, `42`) are left: without them a log could not be read, and would tell what was taken out.

const valueMark = "[redacted secret]";

/**
 * A function that takes these values out of texts, line by line: as they are, each line of one that has several, and as
 * they look in JSON, in an address, or in base64. What a program makes of a value in another way is not recognised.
 */
export function valueRedactor(values: readonly string[], mark: string = valueMark): (text: string) => string {
  const anywhere = new Set<string>();
  const words = new Set<string>();
  for (const value of values) {
    const lines = value.split(/\r?\n/).map((line) => line.trim());
    for (const part of [value, value.trim(), ...lines]) {
      if (part.length >= redactedAnywhere) for (const form of formsOf(part)) anywhere.add(form);
      else if (part.length >= redactedAsWord && part === value.trim()) words.add(part);
    }
  }
  const patterns = [
    ...longestFirst(anywhere).map(escaped),
    ...longestFirst(words).map((word) => `(?<![\\p{L}\\p{N}_])${escaped(word)}(?![\\p{L}\\p{N}_])`),
  ];
  if (patterns.length === 0) return (text) => text;
  const pattern = new RegExp(patterns.join("|"), "gu");
  return (text) => text.replace(pattern, () => mark);
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const base64 = bytes.toString("base64");
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(bytes.toString()),
    base64.replace(/=+$/, ""),
    base64.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"),
  ];
}

function longestFirst(texts: ReadonlySet<string>): string[] {
  return [...texts].sort((a, b) => b.length - a.length);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
