import { createHmac } from "node:crypto";
import { seal } from "#core/age";
import { digest } from "#planning/keys";
import type { SealedSecret, SealedSecrets, SecretEnvelope } from "#schemas/sealed-secrets";
import type { SecretReference } from "#schemas/twin-spec";
import { type ResolvedSecret, resolveSecret, type SecretSources } from "./resolve-secret.ts";

// How long the runner can start a twin again while the controller or the Git host is away.
const sealedForMs = 7 * 24 * 3_600_000;
// Sealed anew this long before the end: once a day as long as all is well.
const renewBeforeMs = 6 * 24 * 3_600_000;

export interface SealingKeys {
  /** The runner's, `age1...`. */
  publicKey: string;
  /** Keys the hashes that tell whether a value has changed: without it nobody can guess at values. */
  versionKey: string;
}

export interface TwinToSeal {
  user: string;
  project: string;
  twin: string;
  secrets: readonly SecretReference[];
}

/**
 * The sealed secrets of a twin as they shall lie on disk: what is sealed already and has time left stays as it is. A
 * secret whose value is gone is dropped. One that is not declared any more stays until it expires, for the last good
 * revision. `version`: of all that is declared; absent where something has no value.
 */
export async function sealTwin(
  { user, project, twin, secrets }: TwinToSeal,
  sources: SecretSources,
  keys: SealingKeys,
  before: SealedSecrets | undefined,
  nowMs: number,
): Promise<{ document: SealedSecrets; version?: string }> {
  const kept: SealedSecret[] = [];
  let isWhole = true;
  for (const reference of secrets) {
    const resolved = resolveSecret(reference, twin, sources);
    const last = before?.secrets.find(({ name }) => name === reference.name);
    const sealed = await sealOne({ project, twin, name: reference.name }, resolved, keys, last, nowMs);
    if (resolved.kind === "problem") isWhole = false;
    if (sealed) kept.push(sealed);
  }
  const versions = kept.map(({ name, version }) => `${name} ${version}`).sort();
  const declared = new Set(secrets.map(({ name }) => name));
  for (const last of before?.secrets ?? []) {
    if (declared.has(last.name) || isOver(last, nowMs)) continue;
    const resolved = resolveSecret({ name: last.name, env: false }, twin, sources);
    if (resolved.kind !== "problem") kept.push(last);
  }
  const document: SealedSecrets = { version: 1, user, project, twin, secrets: kept };
  return isWhole ? { document, version: digest("secrets", ...versions) } : { document };
}

/** Whether something of it has to be sealed anew soon, or was sealed to another key. */
export function isDue(document: SealedSecrets, publicKey: string, nowMs: number): boolean {
  return document.secrets.some(
    (secret) => secret.origin === "variable" && !isFresh(secret, publicKey, nowMs) && !isOver(secret, nowMs),
  );
}

/** What is left of it once what has expired is gone. */
export function withoutExpired(document: SealedSecrets, nowMs: number): SealedSecrets {
  return { ...document, secrets: document.secrets.filter((secret) => !isOver(secret, nowMs)) };
}

/** Keyed hash of a value at its place: equal values of two twins do not look equal. */
export function versionOf(
  place: { project: string; twin: string; name: string },
  value: { kind: string; value: string },
  versionKey: string,
): string {
  const text = JSON.stringify([place.project, place.twin, place.name, value.kind, value.value]);
  return createHmac("sha256", versionKey).update(text).digest("hex");
}

async function sealOne(
  place: { project: string; twin: string; name: string },
  resolved: ResolvedSecret,
  keys: SealingKeys,
  last: SealedSecret | undefined,
  nowMs: number,
): Promise<SealedSecret | undefined> {
  const { name } = place;
  switch (resolved.kind) {
    case "problem": {
      const mayComeBack = ["unreadable", "no-key", "file-broken"].includes(resolved.problem.kind);
      return mayComeBack ? last : undefined;
    }
    case "file": {
      const { contentId: version, sealedText } = resolved;
      return { name, origin: "file", version, sealedText };
    }
    case "value": {
      const { value, variable } = resolved;
      const { kind } = variable;
      const version = versionOf(place, { kind, value }, keys.versionKey);
      if (last?.version === version && isFresh(last, keys.publicKey, nowMs)) return last;
      const expiresAt = new Date(nowMs + sealedForMs).toISOString();
      const envelope: SecretEnvelope = {
        version: 1,
        ...place,
        expiresAt,
        kind,
        value: Buffer.from(value).toString("base64"),
      };
      const sealedText = await seal(keys.publicKey, Buffer.from(JSON.stringify(envelope)));
      return { name, origin: "variable", version, recipient: keys.publicKey, expiresAt, sealedText };
    }
  }
}

function isFresh(sealed: SealedSecret, publicKey: string, nowMs: number): boolean {
  if (sealed.origin !== "variable" || sealed.recipient !== publicKey) return false;
  return Date.parse(sealed.expiresAt ?? "") - nowMs > renewBeforeMs;
}

function isOver(sealed: SealedSecret, nowMs: number): boolean {
  return sealed.expiresAt !== undefined && Date.parse(sealed.expiresAt) <= nowMs;
}
