import { maxQuotedCharacters } from "./limits.ts";

// Control characters, line separators and marks that turn the direction of text: a terminal or a web page that
// shows a message must not obey them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** The same text, safe to print: control characters become `\u....` and what is too long is cut. */
export function printable(text: string, maxCharacters: number): string {
  const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
  return cut.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Text that a user wrote, between back-ticks, safe to print. */
export function quote(text: string): string {
  return `\`${printable(text, maxQuotedCharacters)}\``;
}
