import { ActionNeededError } from "#core/errors";
import type { Items, Me, TwinView } from "#schemas/api";
import { didYouMean } from "#schemas/suggest";
import type { ApiClient } from "./api-client.ts";
import type { TwinName } from "./paths.ts";

/**
 * The twin that somebody means: `user/twin`, a twin of the given user, or the only one of that name that they may see.
 * Errors: `TWIN_NOT_FOUND`, `TWIN_AMBIGUOUS`, `USAGE`.
 */
export async function findTwin(api: ApiClient, name: string, user: string | undefined): Promise<TwinName> {
  const [first, second] = partsOf(name);
  if (second !== undefined) return { user: first, twin: second };
  if (user !== undefined) return { user, twin: first };
  const { items } = await api.get<Items<TwinView>>("/twins");
  const found = items.filter((twin) => twin.name === first);
  if (found.length > 1) {
    const names = found.map((twin) => `${twin.user}/${twin.name}`).join(", ");
    throw new ActionNeededError("TWIN_AMBIGUOUS", `several users have a twin ${first}`, {
      hint: `write one of ${names}`,
    });
  }
  const [only] = found;
  if (only) return { user: only.user, twin: only.name };
  const near = didYouMean(
    first,
    items.map((twin) => twin.name),
  );
  throw new ActionNeededError("TWIN_NOT_FOUND", `there is no twin ${first} that you may see`, {
    hint: near ?? "list them: dtaas twin list",
  });
}

/** The same for one that may be in a workspace only: without a user, that of whoever asks. Errors: `USAGE`. */
export async function findWorktreeTwin(
  api: ApiClient,
  name: string,
  user: string | undefined,
): Promise<TwinName> {
  const [first, second] = partsOf(name);
  if (second !== undefined) return { user: first, twin: second };
  return { user: user ?? (await api.get<Me>("/me")).username, twin: first };
}

function partsOf(name: string): [string, string | undefined] {
  const [first = "", second, ...rest] = name.split("/");
  if (rest.length === 0 && first !== "" && second !== "") return [first, second];
  throw new ActionNeededError("USAGE", `"${name}" is no name of a twin`, { hint: "write user/twin" });
}
