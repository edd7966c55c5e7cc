// What one copy out of a workspace may be. It is made for a single run and thrown away; Git is for what is larger.

/** Files and links. */
export const maxCopyFiles = 10_000;
/** Of all files together. */
export const maxCopyBytes = 512 * 1024 ** 2;
/** From the question inside to the last byte on disk. */
export const copyDeadlineMs = 2 * 60_000;
/** What is kept of an explanation why it failed. */
export const maxCopyErrorBytes = 4 * 1024;
/** Copies of one user that are there at a time: the runs that use them have not ended. */
export const maxCopiesPerUser = 10;
