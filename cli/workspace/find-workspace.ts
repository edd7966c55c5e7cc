import { ActionNeededError } from "#core/errors";
import type { Me } from "#schemas/api";
import type { ApiClient } from "../api/api-client.ts";

/** Whose workspace is meant: the one named, that of `--user` or `--as`, else of whoever asks. Errors: `USAGE`. */
export async function findWorkspace(
  api: ApiClient,
  name: string | undefined,
  user: string | undefined,
): Promise<{ user: string; path: string }> {
  const found = name ?? user ?? (await api.get<Me>("/me")).username;
  if (found === "" || found.includes("/")) {
    throw new ActionNeededError("USAGE", `"${found}" is no name of a user`, {
      hint: "a workspace has the name of its user",
    });
  }
  return { user: found, path: `/workspaces/${encodeURIComponent(found)}` };
}

export const userArgument = ["[user]", "whose workspace; your own unless told"] as const;
