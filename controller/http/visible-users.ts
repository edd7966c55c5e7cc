import pLimit from "p-limit";
import type { Caller } from "../auth/caller.ts";
import type { Rights } from "../auth/rights.ts";

const maxQuestionsAtOnce = 8; // to the forge; answers are remembered

/** Those of `users` whose twins the caller may see, in the same order. */
export async function visibleUsers(
  rights: Rights,
  caller: Caller,
  users: readonly string[],
): Promise<string[]> {
  if (await rights.isAdministrator(caller)) return [...users];
  const limit = pLimit(maxQuestionsAtOnce);
  const may = await limit.map(users, (user) => rights.mayUser(caller, "see", user));
  return users.filter((_user, index) => may[index]);
}
