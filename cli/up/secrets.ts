import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";

/** What this installation has made up for itself. Kept in `<data>/secrets.json`, readable by its owner only. */
export interface Secrets {
  version: 1;
  /** Names this installation in labels of the engine. */
  installation: string;
  redisPassword: string;
  /** Tokens of webhooks are derived from it. */
  webhookSecret: string;
  forgeRootToken: string;
  /** Sessions of browsers are encrypted with it. */
  sessionSecret: string;
  /** How the controller lets people sign in with the embedded forge. */
  application?: { clientId: string; secret: string };
  /** Of accounts on the embedded forge, by user name. */
  accounts: Record<string, { password: string; token?: string }>;
}

const textFields = ["installation", "redisPassword", "webhookSecret", "forgeRootToken"] as const;

/** As an older release has left it, which knew nothing of sign-in. */
type StoredSecrets = Omit<Secrets, "sessionSecret"> & { sessionSecret?: string };

/** The secrets of this data folder, made at the first start. A file that was damaged is an error: new ones would lock everybody out. */
export async function loadSecrets(folder: string): Promise<Secrets> {
  const path = secretsPath(folder);
  const stored = await readJson(path).catch((error: unknown) => damaged(path, error));
  if (stored === undefined) {
    const fresh = makeSecrets();
    await saveSecrets(folder, fresh);
    return fresh;
  }
  if (!isSecrets(stored)) return damaged(path);
  if (stored.sessionSecret !== undefined) return { ...stored, sessionSecret: stored.sessionSecret };
  const completed = { ...stored, sessionSecret: makeSessionSecret() };
  await saveSecrets(folder, completed);
  return completed;
}

export async function saveSecrets(folder: string, secrets: Secrets): Promise<void> {
  await writeJsonAtomic(secretsPath(folder), secrets, 0o600);
}

/** A password that a person can type and no shell or URL changes. */
export function makePassword(): string {
  return randomBytes(18).toString("base64url");
}

function makeSecrets(): Secrets {
  return {
    version: 1,
    installation: randomBytes(5).toString("hex"),
    redisPassword: randomBytes(24).toString("base64url"),
    webhookSecret: randomBytes(32).toString("hex"),
    forgeRootToken: `glpat-${randomBytes(18).toString("base64url")}`,
    sessionSecret: makeSessionSecret(),
    accounts: {},
  };
}

function makeSessionSecret(): string {
  return randomBytes(32).toString("base64url");
}

function secretsPath(folder: string): string {
  return join(folder, "secrets.json");
}

function isSecrets(value: unknown): value is StoredSecrets {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = textFields.every((name) => typeof fields[name] === "string" && fields[name] !== "");
  return (
    fields["version"] === 1 && texts && typeof fields["accounts"] === "object" && fields["accounts"] !== null
  );
}

function damaged(path: string, cause?: unknown): never {
  throw new ActionNeededError("SECRETS_DAMAGED", `${path} cannot be read`, {
    hint: "bring it back from a copy, or start with a new data folder: --data <folder>",
    cause,
  });
}
