import { copyFile, rename } from "node:fs/promises";
import { readTextIfThere } from "./atomic-file.ts";
import { ActionNeededError, messageOf } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** Told about a document that could not be understood: where it stood, where it is kept now, and why. */
export type OnSetAside = (found: { path: string; keptAt: string; error: unknown }) => void;

export interface SetAsideOptions<T> {
  /** Hands the value back as its type; a `DOCUMENT_INVALID` says that it is none. */
  check: (value: unknown, path: string) => T;
  onSetAside: OnSetAside;
  /** Leave it where it is as well, for a reader that must not take it for gone. */
  leave?: boolean;
}

/**
 * A JSON document, or `undefined` where there is none. One that is no JSON, or that `check` refuses, is kept as
 * `<path>.unreadable` (the newest one), told, and counts as not there: one broken file must not stop everybody. What the file
 * system says is thrown on.
 */
export async function readOrSetAside<T>(path: string, options: SetAsideOptions<T>): Promise<T | undefined> {
  const text = await readTextIfThere(path);
  if (text === undefined) return undefined;
  try {
    return options.check(JSON.parse(text), path);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const keptAt = `${path}.unreadable`;
    await (options.leave ? copyFile(path, keptAt) : rename(path, keptAt));
    options.onSetAside({ path, keptAt, error });
    return undefined;
  }
}

/** True for what parsing and checking a document throw, not for what reading it throws. */
export function isUnreadable(error: unknown): boolean {
  return (
    error instanceof SyntaxError || (error instanceof ActionNeededError && error.code === "DOCUMENT_INVALID")
  );
}

/** Tells the log, for whoever runs the platform. */
export function logSetAside(logger: Logger): OnSetAside {
  return ({ path, keptAt, error }) =>
    logger.error(
      { path, keptAt, err: messageOf(error) },
      "a document cannot be understood; it is kept aside, and made again from what is known elsewhere",
    );
}
