import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { readTextIfThere, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";

/** Keys that only the forge has, so that nobody else can make a cookie or the token of a form. */
export interface CookieKeys {
  cookies: string;
  forms: string;
}

/** The keys in this file, made at the first start. Errors: `KEY_EXPOSED`, `FORGE_STATE_UNREADABLE`. */
export async function openCookieKeys(path: string): Promise<CookieKeys> {
  const text = await readTextIfThere(path);
  if (text === undefined) {
    const keys = {
      cookies: randomBytes(32).toString("base64url"),
      forms: randomBytes(32).toString("base64url"),
    };
    await writeJsonAtomic(path, keys, 0o600);
    return keys;
  }
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw new ActionNeededError("KEY_EXPOSED", `${path} may be read by others than its owner`, {
      where: { file: path },
      hint: `remove the file: everybody has to sign in anew`,
    });
  }
  const keys = parse(text);
  if (!keys) {
    throw new ActionNeededError("FORGE_STATE_UNREADABLE", `${path} holds no keys`, {
      where: { file: path },
      hint: "remove the file: everybody has to sign in anew",
    });
  }
  return keys;
}

function parse(text: string): CookieKeys | undefined {
  try {
    const { cookies, forms } = (JSON.parse(text) ?? {}) as Partial<CookieKeys>;
    const isKey = (value: unknown): value is string => typeof value === "string" && value.length >= 32;
    return isKey(cookies) && isKey(forms) ? { cookies, forms } : undefined;
  } catch {
    return undefined;
  }
}
