/** One line in git's own framing: the length of the whole in four hexadecimal digits, then the text. */
export function packetLine(text: string): string {
  return (Buffer.byteLength(text) + 4).toString(16).padStart(4, "0") + text;
}
