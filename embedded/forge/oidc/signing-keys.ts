import { stat } from "node:fs/promises";
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import { readTextIfThere, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";

export const signingAlgorithm = "RS256"; // GitLab's
const modulusLength = 2048; // bits; GitLab's, and what every client takes

/** What tokens of the forge are signed with, and what others check them with. */
export interface SigningKeys {
  /** RSA keys with their private parts, the one that signs first; older ones stay to be checked with. */
  all: JWK[];
  /** What `/oauth/discovery/keys` shows. */
  public: { keys: JWK[] };
  /** The one that signs. */
  kid: string;
  signer: CryptoKey;
}

/**
 * The signing keys in this file, made at the first start and readable by its owner only. A new key is put in front of
 * `keys` by hand. Errors: `KEY_EXPOSED` where others may read it, `FORGE_STATE_UNREADABLE` where it cannot be understood.
 */
export async function openSigningKeys(path: string): Promise<SigningKeys> {
  const text = await readTextIfThere(path);
  const all = text === undefined ? await makeKeys(path) : await readKeys(path, text);
  const [first] = all;
  if (!first?.kid) throw damaged(path);
  const signer = await importJWK(first, signingAlgorithm).catch((cause: unknown) => {
    throw damaged(path, cause);
  });
  if (signer instanceof Uint8Array) throw damaged(path);
  return { all, public: { keys: all.map(publicPart) }, kid: first.kid, signer };
}

async function makeKeys(path: string): Promise<JWK[]> {
  const { privateKey } = await generateKeyPair(signingAlgorithm, { modulusLength, extractable: true });
  const jwk = await exportJWK(privateKey);
  const keys = [{ ...jwk, kid: await calculateJwkThumbprint(jwk), use: "sig", alg: signingAlgorithm }];
  await writeJsonAtomic(path, { keys }, 0o600);
  return keys;
}

async function readKeys(path: string, text: string): Promise<JWK[]> {
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw new ActionNeededError("KEY_EXPOSED", `${path} may be read by others than its owner`, {
      where: { file: path },
      hint: `chmod 600 ${path}; if somebody may have read it, remove the file: everybody has to sign in anew`,
    });
  }
  let keys: unknown;
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys;
  } catch (cause) {
    throw damaged(path, cause);
  }
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isPrivateRsaKey)) throw damaged(path);
  return await Promise.all(keys.map((key) => complete(path, key)));
}

function isPrivateRsaKey(value: unknown): value is JWK {
  const { kty, n, e, d } = (value ?? {}) as JWK;
  return kty === "RSA" && [n, e, d].every((part) => typeof part === "string" && part !== "");
}

async function complete(path: string, key: JWK): Promise<JWK> {
  try {
    const kid = key.kid ?? (await calculateJwkThumbprint(key));
    return { ...key, kid, use: "sig", alg: signingAlgorithm };
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function publicPart({ kty, n, e, kid, use, alg }: JWK): JWK {
  return { kty, n, e, kid, use, alg } as JWK;
}

function damaged(path: string, cause?: unknown): ActionNeededError {
  return new ActionNeededError("FORGE_STATE_UNREADABLE", `${path} holds no RSA keys`, {
    where: { file: path },
    hint: "put the file back from a backup, or remove it: everybody has to sign in anew",
    ...(cause !== undefined && { cause }),
  });
}
