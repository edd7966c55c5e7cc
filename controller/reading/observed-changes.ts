import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import { listFolder } from "./stored-documents.ts";
import { waitForChange } from "./wait-for-change.ts";

const lookEveryMs = 2_000; // where file system events do not come

/**
 * Names of users whose observed-state document has changed since the call before, for as long as the signal lives.
 * Several changes of one document in a short time may be one.
 */
export async function* observedChanges(
  folder: string,
  signal: AbortSignal,
  onReady: () => Promise<void> = async () => undefined,
): AsyncGenerator<string> {
  let known = await versions(folder);
  await onReady(); // from here on nothing is missed
  while (!signal.aborted) {
    const change = waitForChange(folder, { atMostMs: lookEveryMs, signal });
    const now = await versions(folder);
    const changed = [...new Set([...known.keys(), ...now.keys()])].filter(
      (name) => known.get(name) !== now.get(name),
    );
    known = now;
    if (changed.length > 0) change.forget();
    yield* changed;
    await change.happened;
  }
}

async function versions(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await listFolder(folder)) {
    const user = /^([^.].*)\.json$/.exec(name)?.[1];
    if (user === undefined) continue;
    try {
      const { ino, mtimeNs, size } = await stat(join(folder, name), { bigint: true });
      found.set(user, `${ino}:${mtimeNs}:${size}`);
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
  }
  return found;
}
