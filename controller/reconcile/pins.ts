import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";

/** Every snapshot that a user's twins are pinned to or that the view shows, each once. */
export function pins({ twins, view }: Pick<DesiredState, "twins" | "view">): PinnedSnapshot[] {
  const seen = (view?.sources ?? []).map(({ project, commit }) => ({ project, commit }));
  const all = [...twins.flatMap((twin) => [twin.own, ...(twin.shared ?? [])]), ...seen];
  return [...new Map(all.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}
