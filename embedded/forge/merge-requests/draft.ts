/** True where the title says that the merge request is not ready yet. */
export function isDraft(title: string): boolean {
  return /^\s*(\[draft\]|\(draft\)|draft:|draft\s-\s|draft$)/i.test(title);
}
