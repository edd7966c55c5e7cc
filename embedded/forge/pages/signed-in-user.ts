import type { UserRecord } from "../store/records.ts";
import { PageError } from "./page-error.ts";
import type { ProjectVisit } from "./project-page.ts";

/** Who changes something. `PageError` 401 for strangers, 403 in an archived project. */
export function signedInUser({ user, project }: ProjectVisit): UserRecord {
  if (!user)
    throw new PageError(401, "Sign in first", "Strangers can look at this project, and change nothing.");
  if (project.archived) throw new PageError(403, "The project is archived", "Nothing in it can be changed.");
  return user;
}
