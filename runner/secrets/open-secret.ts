import { unseal } from "#core/age";
import { ActionNeededError } from "#core/errors";
import { checkSecretEnvelope } from "#schemas/documents/check-documents";
import type { SealedSecret, SecretEnvelope } from "#schemas/sealed-secrets";

export interface OpenSecret {
  name: string;
  kind: "variable" | "file";
  value: Buffer;
  expiresAtMs: number;
}

/**
 * Opens one sealed secret for the twin it was found with. The plain text says what it is for, and counts for nothing
 * else: cipher text that was carried to another user, twin or name is refused, and so is one that has run out.
 * Errors: `SECRET_OTHER_KEY`, `SECRET_DAMAGED`, `SECRET_UNBOUND`, `SECRET_MISPLACED`, `SECRET_EXPIRED`.
 */
export async function openSecret(
  sealed: SealedSecret,
  place: { project: string; twin: string },
  privateKeys: readonly string[],
  nowMs: number,
): Promise<OpenSecret> {
  const { name, origin } = sealed;
  const opened = await unseal(privateKeys, sealed.sealedText);
  const again =
    origin === "file"
      ? `seal it again: dtaas secret seal ${name} > secrets/${name}.age`
      : "the controller seals it again at its next look; compare its DTAAS_RUNNER_KEY with `--public-key` of the runner";
  if (opened.kind === "other key") {
    throw new ActionNeededError("SECRET_OTHER_KEY", `the secret ${name} is sealed to another key`, {
      hint: again,
    });
  }
  if (opened.kind === "damaged") {
    throw new ActionNeededError("SECRET_DAMAGED", `the secret ${name} is not as it was sealed`, {
      hint: again,
    });
  }
  const envelope = envelopeOf(opened.plain);
  if (!envelope) {
    // Anybody who can read such a file could put it into a repository of their own.
    throw new ActionNeededError("SECRET_UNBOUND", `the secret ${name} does not say which project it is for`, {
      hint: again,
    });
  }
  const isFor = `${envelope.project}/${envelope.twin ?? "*"} ${envelope.name}`;
  const isHere =
    envelope.project === place.project &&
    (envelope.twin === null ? origin === "file" : envelope.twin === place.twin) &&
    envelope.name === name;
  if (!isHere) {
    throw new ActionNeededError(
      "SECRET_MISPLACED",
      `what is sealed as the secret ${name} of ${place.project}/${place.twin} is for another place`,
      { hint: envelope.project === place.project ? `it is for ${isFor}; ${again}` : again },
    );
  }
  const expiresAtMs = Date.parse(envelope.expiresAt);
  if (expiresAtMs <= nowMs) {
    throw new ActionNeededError("SECRET_EXPIRED", `the secret ${name} has run out on ${envelope.expiresAt}`, {
      hint: again,
    });
  }
  return { name, kind: envelope.kind, value: Buffer.from(envelope.value, "base64"), expiresAtMs };
}

function envelopeOf(plain: Uint8Array): SecretEnvelope | undefined {
  try {
    return checkSecretEnvelope(JSON.parse(Buffer.from(plain).toString("utf8")));
  } catch {
    return undefined; // what went wrong may quote the value
  }
}
