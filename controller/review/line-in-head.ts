/**
 * The line of `head` that a line of the merge result is, both counted from 1; `undefined` where it came from the target branch.
 * What is the same from the beginning or to the end is the same line; in between it is the nearest one with the same text. Pure.
 */
export function lineInHead(result: string, head: string, line: number): number | undefined {
  if (result === head) return line;
  const [theirs, ours] = [result.split("\n"), head.split("\n")];
  const wanted = theirs[line - 1];
  let same = 0;
  while (same < theirs.length && theirs[same] === ours[same]) same += 1;
  if (line <= same) return line;
  const shift = ours.length - theirs.length;
  let end = 0;
  while (end < theirs.length - same && theirs[theirs.length - 1 - end] === ours[ours.length - 1 - end])
    end += 1;
  if (line > theirs.length - end) return line + shift;
  const candidates = ours.flatMap((text, index) => (text === wanted ? [index + 1] : []));
  const far = (candidate: number) => Math.abs(candidate - line);
  return candidates.sort((a, b) => far(a) - far(b))[0];
}
