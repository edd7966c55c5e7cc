/** A host answered, and the answer means something to the caller. */
export class HostAnswer extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The result, or `undefined` where the host has no such thing, or does not let the account see it. */
export async function undefinedWhen<T>(
  isMissing: (error: unknown) => boolean,
  asked: Promise<T>,
): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
