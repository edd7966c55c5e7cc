/** Where in the user's own text or system a problem lies. Lines and columns start at 1. */
export interface Where {
  file?: string;
  line?: number;
  column?: number;
}

/**
 * Somebody has to do something before this can succeed: trying again will not help.
 * `code` is stable and machine-readable (`KEBAB` upper case such as `TOKEN_REFUSED`), `message` says what and
 * where in a sentence, `hint` how to mend it.
 */
export class ActionNeededError extends Error {
  override readonly name = "ActionNeededError";
  readonly code: string;
  readonly where: Where | undefined;
  readonly hint: string | undefined;

  constructor(
    code: string,
    message: string,
    options: { where?: Where; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.where = options.where;
    this.hint = options.hint;
  }
}

/** Nothing is wrong with the request; the same call may succeed after `retryAfterMs`. */
export class TryLaterError extends Error {
  override readonly name = "TryLaterError";
  readonly retryAfterMs: number;

  constructor(message: string, options: { retryAfterMs: number; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True for a Node.js system error with this code, such as `ENOENT`. */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
