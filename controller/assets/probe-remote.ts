import { ActionNeededError, TryLaterError } from "#core/errors";
import type { GitAccess } from "./fetch-watched.ts";

const probeTimeoutMs = 10_000;
const retryAfterMs = 5_000;

/**
 * Asks the Git host over plain HTTP why a fetch failed, because git itself tells only by its message text. Resolves
 * when the host would serve the repository; otherwise throws what the fetch should have said.
 */
export async function probeRemote(access: GitAccess, signal?: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(probeTimeoutMs);
  let response: Response;
  try {
    response = await fetch(`${access.url}/info/refs?service=git-upload-pack`, {
      headers: {
        authorization: `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`,
        "git-protocol": "version=2",
      },
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    throw new TryLaterError("The Git host cannot be reached", { retryAfterMs, cause });
  }
  await response.body?.cancel();
  if (response.ok) return;
  if (response.status === 401 || response.status === 403) {
    throw new ActionNeededError("FORGE_TOKEN_REFUSED", "The Git host refuses the platform's token for Git", {
      hint: "Give the platform a token that may read repositories (scope read_repository or api).",
    });
  }
  if (response.status === 404 || (response.status >= 300 && response.status < 400)) {
    throw new ActionNeededError("PROJECT_NOT_FOUND", `There is no repository at ${access.url}`, {
      hint: "It was removed, renamed or hidden from the platform's account.",
    });
  }
  const waitMs = Number(response.headers.get("retry-after")) * 1_000;
  throw new TryLaterError(`The Git host answers ${response.status}`, {
    retryAfterMs: waitMs > 0 ? waitMs : retryAfterMs,
  });
}
