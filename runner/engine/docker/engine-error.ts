import { ActionNeededError, TryLaterError } from "#core/errors";

const retryAfterMs = 2_000;

/** The HTTP status of the engine's answer, when there was one. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === "number" ? status : undefined;
}

/**
 * What an exception of the engine's client means to us: no answer or a server-side failure is `TryLaterError`, a
 * full disk `DISK_FULL`, a refused request `ENGINE_REFUSED`. An abort and errors of ours stay what they are.
 */
export function toEngineError(error: unknown, doing: string): Error {
  if (error instanceof ActionNeededError || error instanceof TryLaterError) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const message = reasonOf(error);
  // The engine has no code of its own for this; the words are the kernel's.
  if (/no space left on device|disk quota exceeded/i.test(message)) {
    return new ActionNeededError("DISK_FULL", `no space left on the engine's disk while ${doing}`, {
      hint: "free space where the engine keeps its data, for example with `docker system df` and `docker image prune`",
      cause: error,
    });
  }
  const status = statusOf(error);
  if (status !== undefined && status < 500) {
    return new ActionNeededError("ENGINE_REFUSED", `the engine refused ${doing}: ${message}`, {
      cause: error,
    });
  }
  const why = status === undefined ? "the engine cannot be reached" : "the engine failed";
  return new TryLaterError(`${why} while ${doing}: ${message}`, { retryAfterMs, cause: error });
}

/** Runs a call to the engine and translates what it throws. */
export async function asking<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toEngineError(error, doing);
  }
}

/** The same, but answers with these HTTP statuses are `undefined`: what is not there or already so. */
export async function askingUnless<T>(
  statuses: readonly number[],
  doing: string,
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const status = statusOf(error);
    if (status !== undefined && statuses.includes(status)) return undefined;
    throw toEngineError(error, doing);
  }
}

function reasonOf(error: unknown): string {
  const answered = (error as { json?: { message?: unknown } } | undefined)?.json?.message;
  if (typeof answered === "string") return answered.trim();
  return error instanceof Error ? error.message.trim() : String(error);
}
