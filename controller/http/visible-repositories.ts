import pLimit from "p-limit";
import type { Caller } from "../auth/caller.ts";
import type { Rights } from "../auth/rights.ts";
import type { Library } from "../library/library.ts";
import type { LibraryRepository } from "../library/repositories.ts";

const maxQuestionsAtOnce = 8; // to the forge; answers are remembered

/** Repositories of the library that the caller may see; of these, only the one with this full path. */
export async function visibleRepositories(
  deps: { library: Library; rights: Rights },
  caller: Caller,
  only?: string,
): Promise<LibraryRepository[]> {
  const asked = deps.library.repositories
    .list()
    .filter(({ project }) => only === undefined || project.path === only);
  const limit = pLimit(maxQuestionsAtOnce);
  const may = await limit.map(asked, ({ project }) => deps.rights.decide(caller, "see", project.path));
  return asked.filter((_repository, index) => may[index] === "allowed");
}
