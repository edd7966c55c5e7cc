import { ActionNeededError } from "#core/errors";
import { HostAnswer, undefinedWhen } from "../host-answer.ts";

/** GitHub answered, and the answer means something to the caller: 400, 404, 405, 409, 410 or 422. */
export class GitHubAnswer extends HostAnswer {
  override readonly name = "GitHubAnswer";
}

/** The result, or `undefined` where GitHub has no such thing, or does not let the account see it: it answers 404 to both. */
export async function undefinedWhenMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  return await undefinedWhen(isMissing, asked);
}

export function isMissing(error: unknown): boolean {
  return error instanceof GitHubAnswer && (error.status === 404 || error.status === 410);
}

/** What an answer that is neither success nor worth another attempt means. */
export function refusal(status: number, message: string): Error {
  if (status === 401) {
    return new ActionNeededError("FORGE_TOKEN_REFUSED", `GitHub refuses the token: ${message}`, {
      hint: "Make a new access token; this one has expired, was revoked or never was one.",
    });
  }
  if (status === 403) {
    return new ActionNeededError("FORGE_FORBIDDEN", `GitHub does not allow this: ${message}`, {
      hint: "Give the account the role that docs/github.md names, and its token the permissions there.",
    });
  }
  return new GitHubAnswer(status, message);
}
