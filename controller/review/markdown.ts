import { printable } from "#schemas/quote";

const maxFragmentCharacters = 500; // of what users wrote, in one place of a comment

/**
 * What users wrote, on its way into a comment that carries the platform's name: it must not speak to anybody (`@all`), order
 * anything (`/merge`), link, or draw anything. A word joiner stands where Git hosts look for references: it is not seen.
 */
const joiner = "\u2060";

/** A fragment as it is, in a code span: nothing in it means anything to a Git host. One line. */
export function code(text: string, maxCharacters = maxFragmentCharacters): string {
  const shown = printable(text, maxCharacters).trim();
  if (shown === "") return "` `";
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  if (longest === 0) return `\`${shown}\``;
  const fence = "`".repeat(longest + 1);
  return `${fence} ${shown} ${fence}`;
}

/** A sentence of ours with fragments of users between back-ticks; neither can do anything. One line. */
export function prose(text: string, maxCharacters = 2 * maxFragmentCharacters): string {
  const parts = printable(text, maxCharacters).split("`");
  // An odd count of back-ticks: somebody's own stands among ours, and none is trusted.
  if (parts.length % 2 === 0) return plain(parts.join("'"));
  return parts.map((part, index) => (index % 2 === 1 ? code(part) : plain(part))).join("");
}

/** Text without any meaning in Markdown. */
function plain(text: string): string {
  return text
    .replace(/[\\*_[\]<>~$]/g, "\\$&")
    .replace(/&(?=[#\w])/g, "&amp;")
    .replace(/[@#!%^&:~$](?=[\w"\\/-])/g, (sign) => `${sign}${joiner}`)
    .replace(/:(?=\/)/g, `:${joiner}`)
    .replace(/\bwww\./gi, (www) => `${www.slice(0, -1)}${joiner}.`)
    .replace(/^(\s*)([/+\-=]|\d+[.)])/, `$1${joiner}$2`);
}

/** Markdown as one cell of a table. */
export function cell(markdown: string): string {
  return markdown.replaceAll("|", "\\|").replace(/\s*\n\s*/g, " ");
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heads), `|${" --- |".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

/** A block of text as it is; its fence is longer than any in it. */
export function block(kind: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${kind}\n${text}\n${fence}`;
}
