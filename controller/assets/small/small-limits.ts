// What counts as small: read in this process by isomorphic-git, at a fraction of the price of starting git. Everything
// larger is git's. The bounds keep one look below some ten milliseconds of the process that also answers webhooks.

/** Bytes of all packs of a mirror together, and of what one fetch may bring. */
export const maxSmallPackBytes = 256 * 1024;
/** Bytes of everything in it once it is unpacked. */
export const maxSmallUnpackedBytes = 4 * 1024 * 1024;
/** Objects in one pack. */
export const maxSmallObjects = 2_000;
