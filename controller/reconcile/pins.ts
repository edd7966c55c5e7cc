import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";

/** Every snapshot that a user's twins are pinned to, each once. */
export function pins(twins: DesiredState["twins"]): PinnedSnapshot[] {
  const all = twins.flatMap((twin) => (twin.common ? [twin.own, twin.common] : [twin.own]));
  return [...new Map(all.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}
