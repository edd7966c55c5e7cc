import { createHash } from "node:crypto";

/**
 * The restart key: a twin with an unchanged key is never restarted. It joins what Git says (the source key), the
 * content hash of the workspace image, and the version of its secrets where it has any.
 */
export function restartKey(
  source: { sourceKey: string; secretsVersion?: string },
  imageHash: string,
): string {
  const { sourceKey, secretsVersion } = source;
  return digest("restart", sourceKey, imageHash, ...(secretsVersion === undefined ? [] : [secretsVersion]));
}

/** SHA-256 over length-prefixed parts, in hex. */
export function digest(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest("hex");
}
