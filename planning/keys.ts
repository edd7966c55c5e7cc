import { createHash } from "node:crypto";

/**
 * The restart key: a twin with an unchanged key is never restarted. It joins what Git says (the source key) and the
 * content hash of the workspace image.
 */
export function restartKey(sourceKey: string, imageHash: string): string {
  return digest("restart", sourceKey, imageHash);
}

/** SHA-256 over length-prefixed parts, in hex. */
export function digest(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest("hex");
}
