import { distance } from "fastest-levenshtein";
import { maxQuotedCharacters } from "./limits.ts";

/** Beyond this many candidates nothing is suggested: each costs a comparison. */
const maxCandidates = 2000;

/**
 * The candidate that was probably meant: at most a third of the letters (or two) differ, or it is the only one that begins
 * with the word. `undefined` when none is near.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > maxQuotedCharacters || candidates.length > maxCandidates) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = (word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))) + 1; // two swapped letters are 2
  for (const candidate of candidates) {
    const far = distance(wanted, candidate.toLowerCase());
    if (far === 0 && candidate === word) continue;
    if (far < bestDistance) {
      best = candidate;
      bestDistance = far;
    }
  }
  return best ?? onlyLonger(wanted, candidates);
}

/** The candidate that was meant beyond doubt: the only one that is near. */
export function onlyNear(word: string, candidates: readonly string[]): string | undefined {
  const near = nearest(word, candidates);
  if (near === undefined) return undefined;
  const others = candidates.filter((candidate) => candidate !== near);
  return nearest(word, others) === undefined ? near : undefined;
}

/** The one candidate that goes on where the word stops. */
function onlyLonger(wanted: string, candidates: readonly string[]): string | undefined {
  if (wanted.length < 3) return undefined;
  const longer = candidates.filter((candidate) => candidate.toLowerCase().startsWith(wanted));
  return longer.length === 1 ? longer[0] : undefined;
}

/** `` did you mean `x`? ``, where something is near enough. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const near = nearest(word, candidates);
  return near === undefined ? undefined : `did you mean \`${near}\`?`;
}
