const quietMs = 60_000; // what is still wrong after this is worth another line
const maxRemembered = 200;

/** Hands a text on unless the same was handed on within the last minute: a host that is down is said once. */
export function withoutRepeats(
  say: (text: string) => void,
  now: () => number = Date.now,
): (text: string) => void {
  const saidAt = new Map<string, number>();
  return (text) => {
    if (now() - (saidAt.get(text) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    if (saidAt.size >= maxRemembered) saidAt.clear();
    saidAt.set(text, now());
    say(text);
  };
}
