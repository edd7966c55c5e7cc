/**
 * The exec form of an instruction, `["program", "argument"]`: no shell sees it, and nothing in an argument can end the
 * line or be taken for a variable, a continuation or a here-document, since all but plain characters are written as
 * `\uXXXX`.
 */
export function execForm(words: readonly string[]): string {
  return `[${words.map(quoted).join(", ")}]`;
}

function quoted(word: string): string {
  const safe = JSON.stringify(word).slice(1, -1);
  return `"${safe.replace(/[^A-Za-z0-9 !#%&()*+,\-./:;=?@[\]^_{|}~'"\\]/g, escaped)}"`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** What may stand after FROM: an engine's image id or a name with a tag; anything else throws. */
export function imageReference(reference: unknown): string {
  if (typeof reference === "string" && /^[a-z0-9][A-Za-z0-9_.\-/:@]{0,255}$/.test(reference))
    return reference;
  throw new Error(`not an image reference: ${JSON.stringify(reference)}`);
}
