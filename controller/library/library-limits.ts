// Limits of the library. Each refusal says which one it was and names the file.

/** Bytes of all files in one upload: base64 makes them a third larger, and hosts take 64 MiB in one request. */
export const maxUploadBytes = 40 * 1024 * 1024;
/** Files in one commit, after folders are taken apart. */
export const maxChangedFiles = 2_000;
/** Uploads at the same time, of all and of one person: each is held in memory until it is committed. */
export const maxUploads = { max: 4, maxOfOne: 2 };
/** Files and archives sent at the same time, of all and of one person: each may have a git process. */
export const maxDownloads = { max: 16, maxOfOne: 6 };
/** From the first byte of an upload to its last. */
export const uploadTimeoutMs = 5 * 60_000;
/** Bytes of a JSON body with changes; larger files travel as an upload. */
export const maxChangesBytes = 4 * 1024 * 1024;
/** Names of one answer, unless fewer are asked for. */
export const defaultPerPage = 100;
export const maxPerPage = 1_000;
/** Characters of a commit's message. */
export const maxMessageCharacters = 10_000;
