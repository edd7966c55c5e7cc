import { ActionNeededError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { LibraryRepositoryView } from "#schemas/library";
import type { ApiClient } from "../api/api-client.ts";

const kinds = ["data", "functions", "models", "tools", "digital_twins"];

/** A file or folder of the library. */
export interface LibraryPath {
  /** Full path of a project, or a name in the platform's group. */
  repository: string;
  /** Inside of it; the root is the empty path. */
  path: string;
}

/**
 * Reads `user1/models/tank`, `lab/turbines/models/blade`, or `models/tank` of one's own repository: what stands before the
 * folder of a kind names the repository. Without such a folder, it is the repository that is known by that name, or the first
 * name. Errors: `USAGE`.
 */
export async function findLibraryPath(
  api: ApiClient,
  text: string,
  user: string | undefined,
): Promise<LibraryPath> {
  const names = text.replace(/\/+$/, "").split("/");
  if (names.some((name) => name === "")) {
    throw new ActionNeededError("USAGE", `"${text}" is no path of the library`, {
      hint: "write <repository>/<kind>/<name>, such as common/models/tank",
    });
  }
  const kindAt = names.findIndex((name) => kinds.includes(name));
  if (kindAt === 0) return { repository: await ownRepository(api, user), path: names.join("/") };
  if (kindAt > 0) {
    return { repository: names.slice(0, kindAt).join("/"), path: names.slice(kindAt).join("/") };
  }
  const { items } = await api.get<Items<LibraryRepositoryView>>("/library");
  const whole = items.find(({ repository }) => `${names.join("/")}/`.startsWith(`${repository}/`));
  const [first = "", ...rest] = names;
  if (whole === undefined) return { repository: first, path: rest.join("/") };
  return { repository: whole.repository, path: names.slice(whole.repository.split("/").length).join("/") };
}

/** Whose library is meant where none is named. */
export async function ownRepository(api: ApiClient, user: string | undefined): Promise<string> {
  return user ?? (await api.get<{ username: string }>("/me")).username;
}

/** Below `/api/v1`. */
export function repositoryRoute(repository: string): string {
  return `/library/${encodeURIComponent(repository)}`;
}

export function fileRoute({ repository, path }: LibraryPath): string {
  return `${repositoryRoute(repository)}/files/${path.split("/").map(encodeURIComponent).join("/")}`;
}
