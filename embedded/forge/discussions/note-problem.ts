import { type ApiError, badRequest } from "../http/api-error.ts";

/** What GitLab says of a note it does not take: its own notation, within the message. */
export function noteProblem(problem: string): ApiError {
  return badRequest(`400 Bad request - Note {${problem}}`);
}
