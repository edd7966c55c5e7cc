// Limits on a repository that is checked out. They are far above honest use; each refusal says which one it was.

/** Files and links of one revision. */
export const maxTreeFiles = 20_000;
/** Everything listed, folders included; a tree that repeats itself endlessly stops here. */
export const maxTreeEntries = 40_000;
/** Bytes of all files together. */
export const maxTreeBytes = 2 * 1024 ** 3;
/** UTF-8 bytes of a path; below the 4096 of Linux, so that there is room for the folders above. */
export const maxPathBytes = 1024;
/** UTF-8 bytes of one name; what ext4 can hold. */
export const maxNameBytes = 255;
/** Links that lead to one another; what Linux follows. */
export const maxLinkHops = 40;
/** Names on the way to where a link ends; with `maxTreeLinks` it bounds the work of a hostile tree. */
export const maxLinkSteps = 100;
/** Links of one revision. */
export const maxTreeLinks = 2_000;
