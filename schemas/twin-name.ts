const twinName = /^[A-Za-z][A-Za-z0-9_-]{0,38}$/;

/** True for a name that a twin, and so its folder, may have. */
export function isTwinName(name: string): boolean {
  return twinName.test(name);
}
