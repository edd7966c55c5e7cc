import { ActionNeededError } from "#core/errors";
import { HostAnswer, undefinedWhen } from "../host-answer.ts";

/** GitLab answered, and the answer means something to the caller: 400, 404, 409 or 422. */
export class GitLabAnswer extends HostAnswer {
  override readonly name = "GitLabAnswer";
}

/** The result, or `undefined` where GitLab has no such thing. */
export async function undefinedWhenMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  return await undefinedWhen((error) => error instanceof GitLabAnswer && error.status === 404, asked);
}

/** What an answer that is neither success nor worth another attempt means. */
export function refusal(status: number, message: string): Error {
  if (status === 401) {
    return new ActionNeededError("FORGE_TOKEN_REFUSED", `GitLab refuses the token: ${message}`, {
      hint: "Make a new access token with scope api; this one has expired, was revoked or never was one.",
    });
  }
  if (status === 403) {
    return new ActionNeededError("FORGE_FORBIDDEN", `GitLab does not allow this: ${message}`, {
      hint: "Give the account the Maintainer role on the project, and its token the scope api.",
    });
  }
  return new GitLabAnswer(status, message);
}
