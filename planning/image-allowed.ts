/** Whether one of the patterns of `policies.images` allows an image; `*` stands for any characters. Pure. */
export function isImageAllowed(image: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matches(image, pattern.split("*")));
}

/** Without a regular expression, so that no pattern can make it slow. */
function matches(text: string, [first = "", ...parts]: string[]): boolean {
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.endsWith(last) && text.length - last.length >= at;
}
