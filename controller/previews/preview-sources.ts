import { ActionNeededError } from "#core/errors";
import { quote } from "#schemas/quote";
import { isTwinName } from "#schemas/twin-name";
import type { Tracked } from "../reconcile/tracked.ts";
import type { PreviewsWanted } from "./previews.ts";
import type { PreviewSource, ResolveDeps } from "./resolve-previews.ts";

const maxNames = 50; // more than the previews of one merge request

/**
 * Whose twins a merge request previews, and from where: those of the user whose project it belongs to; of a shared repository,
 * those that are named. `ActionNeededError("NO_PREVIEW_THERE")` for a project or a user that has none.
 */
export function previewSources(
  { tracked, desired }: { tracked: Tracked } & Pick<ResolveDeps, "desired">,
  wanted: PreviewsWanted,
): PreviewSource[] {
  const { projectPath: path, commit, twins } = wanted;
  const role = tracked.role(path);
  const project = tracked.project(path);
  if (role.kind === "user" && project) {
    return [{ user: role.user, own: { project, commit }, ...(twins ? { twins } : {}) }];
  }
  if (role.kind !== "shared") {
    throw new ActionNeededError("NO_PREVIEW_THERE", `${path} has no twins of this platform`);
  }
  const users = new Set((twins ?? []).map((name) => name.split("/")[0] ?? ""));
  return [...users].map((user) => {
    const document = desired.get(user);
    const own = tracked.projectOf(user);
    const sees = document?.view?.sources.some((source) => source.project === path && !source.folder);
    if (!document || !own || !sees) {
      throw new ActionNeededError("NO_PREVIEW_THERE", `no twin of ${user} sees ${path}`);
    }
    const named = (twins ?? []).filter((name) => name.startsWith(`${user}/`));
    return {
      ...{ user, own: { project: own, commit: document.revision } },
      ...{ instead: { project: path, commit }, twins: named.map((name) => name.slice(user.length + 1)) },
    };
  });
}

/** They may come out of a note: what is no name of a twin does not get into a document. */
export function checkNames(names: readonly string[]): void {
  const bad = names.find((name) => !isTwinName(name.split("/").at(-1) ?? "") || name.split("/").length > 2);
  if (bad !== undefined) {
    throw new ActionNeededError("NO_PREVIEW_THERE", `${quote(bad)} is no name of a twin`);
  }
  if (names.length > maxNames) {
    throw new ActionNeededError("TOO_MANY_PREVIEWS", `${names.length} twins are named, ${maxNames} at most`);
  }
}
