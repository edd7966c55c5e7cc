import { isUtf8 } from "node:buffer";
import { ActionNeededError } from "#core/errors";

/** Larger deliveries get 413. GitLab sends at most 20 commits with a push: a few KiB, rarely 100. */
export const maxBodyBytes = 1024 * 1024;
const maxDepth = 32; // GitLab's own go to 5
const maxValues = 50_000; // keys and values of all objects and lists together

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;

/**
 * The JSON value of a body whose size is already bounded. What is too deep or has too many parts is refused before
 * anything is built from it. Throws `ActionNeededError("BAD_REQUEST")`.
 */
export function parseBody(raw: Buffer): unknown {
  if (!isUtf8(raw)) throw unreadable("it is no UTF-8");
  checkShape(raw);
  try {
    return JSON.parse(raw.toString("utf8"));
  } catch {
    throw unreadable("it is no JSON");
  }
}

/** One pass over the bytes. Only what stands outside of strings counts; broken JSON is left to `JSON.parse`. */
function checkShape(raw: Buffer): void {
  let depth = 0;
  let parts = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const byte = raw[at];
    if (byte === quote) {
      at = endOfString(raw, at);
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > maxDepth) throw unreadable(`it is nested deeper than ${maxDepth} times`);
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    } else if (byte === comma || byte === colon) {
      parts += 1;
      if (parts > maxValues) throw unreadable(`it has more than ${maxValues} parts`);
    }
  }
}

/** Index of the closing quote, or of the end where there is none. */
function endOfString(raw: Buffer, start: number): number {
  for (let at = start + 1; at < raw.length; at += 1) {
    if (raw[at] === backslash) at += 1;
    else if (raw[at] === quote) return at;
  }
  return raw.length;
}

function unreadable(why: string): ActionNeededError {
  return new ActionNeededError("BAD_REQUEST", `The body cannot be read: ${why}`);
}
