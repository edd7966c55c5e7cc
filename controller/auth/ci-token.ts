import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from "jose";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { fetchKeys } from "./fetch-keys.ts";

/** Where GitLab publishes the keys of its ID tokens, below its address. */
export const keysPath = "/oauth/discovery/keys";

const algorithm = "RS256"; // what GitLab signs with; whatever a token says of itself does not count
const clockToleranceS = 30;
// A token lives as long as its job may. One that was taken from a job's environment opens nothing after this time,
// whatever the token says; jobs that wait for a twin longer than a day ask the command line instead.
const maxAgeS = 24 * 3600;
const keysForMs = 10 * 60_000; // a key that was withdrawn counts at most this long
const keysPauseMs = 30_000; // tokens with made-up key ids make the host be asked at most this often
const keysTimeoutMs = 5_000;
const maxTokenCharacters = 8 * 1024; // GitLab's have about 2,000

/** A job of a pipeline, as a verified token tells. Ids rather than paths decide: paths can be given to another project. */
export interface CiJob {
  jobId: number;
  pipelineId: number;
  /** The project the job runs in. */
  projectId: number;
  projectPath: string;
  ref: string;
  /** Only who may push to a protected ref can have a job there. */
  isRefProtected: boolean;
  /** Whose job it is: who pushed, started, played or scheduled it. */
  user: { id: number; username: string };
  expiresAtMs: number;
}

export interface CiTokensOptions {
  /** The Git host's address: who must have issued a token. */
  issuer: string;
  /** Addresses of this platform: a token for somebody else is none for us. */
  audiences: readonly string[];
}

/** True for what has the form of a signed JWT, which no personal access token has. Nothing of it is believed yet. */
export function looksLikeCiToken(token: string): boolean {
  return /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(token);
}

/**
 * Checks CI ID tokens (`id_tokens:` of GitLab) against the keys that their issuer publishes: signature, issuer, audience, expiry,
 * age, and that the job runs its own project's code. What the job may do is not decided here.
 */
export class CiTokens {
  readonly #options: CiTokensOptions;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;

  constructor(options: CiTokensOptions) {
    this.#options = options;
    this.#keys = createRemoteJWKSet(new URL(`${options.issuer}${keysPath}`), {
      cacheMaxAge: keysForMs,
      cooldownDuration: keysPauseMs,
      timeoutDuration: keysTimeoutMs,
      [customFetch]: fetchKeys(),
    });
  }

  /** Errors: `CI_TOKEN_REFUSED` with the reason; `TryLaterError` when the issuer's keys cannot be had. */
  async verify(token: string): Promise<CiJob> {
    if (token.length > maxTokenCharacters) throw refused("it is too long");
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: [algorithm],
        issuer: this.#options.issuer,
        audience: this.#options.audiences.flatMap((one) => [one, `${one}/`]), // as people write addresses
        clockTolerance: clockToleranceS,
        maxTokenAge: maxAgeS,
        requiredClaims: ["exp", "iat", "iss", "aud"],
      });
      return jobOf(payload);
    } catch (error) {
      throw asRefusal(error, this.#options);
    }
  }
}

/** The claims we decide by. GitLab writes ids and booleans as text. */
function jobOf(claims: JWTPayload): CiJob {
  const projectId = idIn(claims, "job_project_id");
  // A fork's merge request runs strangers' code in this project, with the rights of whoever started its pipeline.
  if (idIn(claims, "project_id") !== projectId) {
    throw refused("its job runs the code of another project, such as a fork's");
  }
  return {
    jobId: idIn(claims, "job_id"),
    pipelineId: idIn(claims, "pipeline_id"),
    projectId,
    projectPath: textIn(claims, "job_project_path"),
    ref: textIn(claims, "ref"),
    isRefProtected: flagIn(claims, "ref_protected"),
    user: { id: idIn(claims, "user_id"), username: textIn(claims, "user_login") },
    expiresAtMs: Number(claims.exp) * 1_000,
  };
}

function textIn(claims: JWTPayload, name: string): string {
  const value = claims[name];
  if (typeof value === "string" && value !== "" && value.length <= 1_024) return value;
  throw refused(`it has no usable ${name}`);
}

function idIn(claims: JWTPayload, name: string): number {
  const text = textIn(claims, name);
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw refused(`its ${name} is no id`);
}

function flagIn(claims: JWTPayload, name: string): boolean {
  const text = textIn(claims, name);
  if (text === "true" || text === "false") return text === "true";
  throw refused(`its ${name} is neither true nor false`);
}

function asRefusal(error: unknown, { issuer, audiences }: CiTokensOptions): Error {
  if (error instanceof ActionNeededError || error instanceof TryLaterError) return error;
  if (error instanceof errors.JWTExpired) return refused("it has expired, or is too old", error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "iss") return refused(`${issuer} did not issue it`, error);
    if (error.claim === "aud") {
      return refused(
        `it is for another audience; write \`aud: ${audiences[0]}\` below \`id_tokens:\``,
        error,
      );
    }
    return refused(`its claim ${error.claim} does not hold`, error);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refused(`it is not signed with ${algorithm}`, error);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return refused("it is signed with a key that its issuer does not publish", error);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("its signature is wrong", error);
  const isToken = error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid;
  if (isToken || error instanceof errors.JOSENotSupported) return refused("it is no token of a job", error);
  // What is left is about the keys: the host is away, slow, or answers oddly.
  return new TryLaterError("the keys of the Git host's ID tokens cannot be read", {
    retryAfterMs: keysPauseMs,
    cause: error,
  });
}

function refused(reason: string, cause?: unknown): ActionNeededError {
  return new ActionNeededError("CI_TOKEN_REFUSED", `the ID token of the job is refused: ${reason}`, {
    hint: "see docs/pipelines.md: how a job shows who it is",
    cause,
  });
}
