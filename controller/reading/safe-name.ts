const namePattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/;

/** True for a name of a user, a twin or a run: one that is one path segment and nothing special on disk. */
export function isSafeName(name: string): boolean {
  return namePattern.test(name);
}
