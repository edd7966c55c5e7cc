/** A large file as it stands in Git: the SHA-256 of its content, in hex, and its bytes. */
export interface LfsPointer {
  oid: string;
  bytes: number;
}

/** A pointer has less than this; longer files are never one. */
export const maxPointerBytes = 1024;

const version = "version https://git-lfs.github.com/spec/v1\n";

/** What a file points to, if it is a pointer of Git LFS: a version, then keys in order, `oid` and `size` among them. */
export function parseLfsPointer(content: Uint8Array): LfsPointer | undefined {
  if (content.byteLength >= maxPointerBytes || content.byteLength < version.length) return undefined;
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("utf8");
  if (!text.startsWith(version)) return undefined;
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size ([0-9]{1,15})$/m.exec(text)?.[1];
  return oid === undefined || size === undefined ? undefined : { oid, bytes: Number(size) };
}
