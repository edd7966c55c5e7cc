// Limits on what people write. They are far above honest use and keep a hostile document cheap.

/** UTF-8 bytes of one document. A large dt.yaml has 4 KiB. */
export const maxDocumentBytes = 256 * 1024;
/** Mappings and sequences inside one another; the language itself needs 8. */
export const maxDepth = 32;
/** Scalars, mappings, sequences and aliases of one document, what aliases repeat included. */
export const maxNodes = 10_000;
/** Words, signs, blanks and line ends of one document, counted while it is read. */
export const maxLexemes = 30_000;
/** Uses of `*anchor` in one document. */
export const maxAliases = 100;
/** Findings reported for one document; whoever has more mends these first. */
export const maxDiagnosticsPerDocument = 100;
/** Folders of `digital_twins/` that are read; further ones are reported and left out. */
export const maxTwinsPerRepository = 1000;
/** Characters of the user's own text that a message repeats. */
export const maxQuotedCharacters = 60;
/** Bytes of one secret; a certificate with its chain has 10 KiB. */
export const maxSecretBytes = 64 * 1024;
/** Bytes of one sealed secret: base64 twice over, and what age adds. */
export const maxSealedBytes = 192 * 1024;
