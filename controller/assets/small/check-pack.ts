import { inflateSync } from "node:zlib";

const headBytes = 12; // "PACK", version, number of objects
const idBytes = 20; // SHA-1; packs of SHA-256 repositories are left to git
const kinds = { ofsDelta: 6, refDelta: 7 };

/** The pack may not be opened in this process: too large once it is unpacked, or not a pack as we know it. */
export class PackRefused extends Error {
  override readonly name = "PackRefused";
}

export interface PackLimits {
  /** Objects in the pack. */
  maxObjects: number;
  /** Bytes of everything in it once it is unpacked, what deltas make included. */
  maxUnpackedBytes: number;
}

/**
 * Walks over a pack and adds up what it becomes when it is unpacked, without ever holding more than one object of it:
 * a few hundred bytes may stand for gigabytes. Throws `PackRefused`. Whether the content is right is not looked at; that
 * shows when it is read. The format is that of gitformat-pack(5).
 */
export function checkPack(pack: Buffer, limits: PackLimits): { objects: number; unpackedBytes: number } {
  if (pack.length < headBytes + idBytes || pack.toString("latin1", 0, 4) !== "PACK") {
    throw new PackRefused("not a pack");
  }
  const objects = pack.readUInt32BE(8);
  if (pack.readUInt32BE(4) !== 2 || objects > limits.maxObjects) throw new PackRefused("too many objects");
  const end = pack.length - idBytes;
  let at = headBytes;
  let unpackedBytes = 0;
  const count = (bytes: number) => {
    unpackedBytes += bytes;
    if (unpackedBytes > limits.maxUnpackedBytes) throw new PackRefused("too large once it is unpacked");
  };
  for (let n = 0; n < objects; n += 1) {
    const head = objectHead(pack, at);
    at = head.at;
    if (head.kind === kinds.ofsDelta) at = skipNumber(pack, at);
    if (head.kind === kinds.refDelta) at += idBytes;
    count(head.bytes);
    const { content, taken } = inflate(pack.subarray(at, end), head.bytes);
    at += taken;
    if (head.kind === kinds.ofsDelta || head.kind === kinds.refDelta) count(deltaResultBytes(content));
  }
  if (at !== end) throw new PackRefused("it holds more than its objects");
  return { objects, unpackedBytes };
}

function objectHead(pack: Buffer, start: number): { kind: number; bytes: number; at: number } {
  let at = start;
  let byte = byteAt(pack, at++);
  const kind = (byte >> 4) & 7;
  let bytes = byte & 15;
  for (let factor = 16; (byte & 128) !== 0; factor *= 128) {
    byte = byteAt(pack, at++);
    bytes += (byte & 127) * factor;
  }
  if (!Number.isSafeInteger(bytes)) throw new PackRefused("an object of impossible size");
  return { kind, bytes, at };
}

function inflate(packed: Buffer, bytes: number): { content: Buffer; taken: number } {
  try {
    const options = { info: true, maxOutputLength: Math.max(bytes, 1), chunkSize: Math.max(bytes, 64) };
    // With `info` the result says how much of the input belonged to it, which the types do not know.
    const { buffer, engine } = inflateSync(packed, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (buffer.length !== bytes) throw new PackRefused("an object of another size than it says");
    return { content: buffer, taken: engine.bytesWritten };
  } catch (error) {
    if (error instanceof PackRefused) throw error;
    throw new PackRefused("an object that cannot be unpacked");
  }
}

/** The second of the two numbers that a delta begins with. */
function deltaResultBytes(delta: Buffer): number {
  let at = skipNumber(delta, 0);
  let bytes = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = byteAt(delta, at++);
    bytes += (byte & 127) * factor;
    if ((byte & 128) === 0) return bytes;
  }
}

function skipNumber(from: Buffer, start: number): number {
  let at = start;
  while ((byteAt(from, at) & 128) !== 0) at += 1;
  return at + 1;
}

function byteAt(from: Buffer, at: number): number {
  const byte = from[at];
  if (byte === undefined) throw new PackRefused("it ends in the middle of an object");
  return byte;
}
