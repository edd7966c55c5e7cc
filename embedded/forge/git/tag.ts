/** What an annotated tag points at, and its message without a signature. */
export function parseTag(text: string): { target: string; message: string } | undefined {
  const target = /^object ([0-9a-f]{40})$/m.exec(text)?.[1];
  const split = text.indexOf("\n\n");
  if (!target || split < 0) return undefined;
  const body = text.slice(split + 2);
  const signature = body.indexOf("-----BEGIN ");
  return { target, message: (signature < 0 ? body : body.slice(0, signature)).trim() };
}
