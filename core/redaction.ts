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
