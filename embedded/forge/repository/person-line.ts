/** A name and address as they can stand in a commit or tag. */
export function personLine(name: string, email: string): string {
  const clean = (text: string) => text.replace(/[\p{Cc}<>]/gu, "").trim();
  return `${clean(name) || "unknown"} <${clean(email)}>`;
}
