/** The first line of what the platform writes: nobody sees it, and by it and its author what was written is found again. */
export type Mark = "review" | `problem ${string}` | `reply ${number}`;

export function withMark(mark: Mark, body: string): string {
  return `<!-- dtaas:${mark} -->\n${body}`;
}

/** Only the first line counts, so that nothing that is quoted further down is taken for one. */
export function markOf(body: string): string | undefined {
  return /^<!-- dtaas:([a-z]+(?: [a-f0-9]{1,64})?) -->\r?\n/.exec(body)?.[1];
}
