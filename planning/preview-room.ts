import type { DesiredState } from "#schemas/desired-state";
import type { Resources } from "#schemas/twin-spec";
import { addUse, excess, noUse, type Use, useOf } from "#schemas/use";

// Previews of one user that run at the same time, however much the user's limits allow; the others wait for their turn.
const maxAtOnce = 2;

export interface PreviewInLine {
  /** Names it among those of its user. */
  key: string;
  /** ISO 8601: who asked first comes first. */
  wantedAt: string;
  state: "running" | "waiting" | "over";
  resources: Resources;
}

/**
 * Which previews of a user may not begin now, and why. They count against the limits of their user as operations do that
 * somebody asks for: beside the twins that are kept up, and beside what runs because it was asked for (`asked`, once for each
 * container). A preview that runs is never ended for another, nor for a twin. Pure.
 */
export function previewsWithoutRoom(
  desired: Pick<DesiredState, "user" | "limits" | "twins">,
  asked: readonly string[],
  previews: readonly PreviewInLine[],
): Map<string, string> {
  let use = desired.twins.reduce(
    (sum, twin) => (twin.admittedAt === undefined ? sum : addUse(sum, useOf(twin))),
    noUse,
  );
  for (const name of asked) {
    const twin = desired.twins.find((candidate) => candidate.name === name);
    if (twin) use = addUse(use, { ...useOf(twin), twins: 0 });
  }
  let running = 0;
  for (const { state, resources } of previews) {
    if (state !== "running") continue;
    running += 1;
    use = addUse(use, useOfPreview(resources));
  }
  const without = new Map<string, string>();
  for (const { key, resources } of inOrder(previews)) {
    const next = addUse(use, useOfPreview(resources));
    const problem =
      running >= maxAtOnce
        ? `waits for its turn: ${maxAtOnce} previews of ${desired.user} run at the same time`
        : excess(next, desired.limits, desired.user);
    if (problem !== undefined) {
      without.set(key, problem);
      continue;
    }
    running += 1;
    use = next;
  }
  return without;
}

/** A preview is no twin of its own: cores and memory are what it takes. */
export function useOfPreview({ cpus, memoryBytes }: Resources): Use {
  return { twins: 0, cpus, memoryBytes };
}

function inOrder(previews: readonly PreviewInLine[]): PreviewInLine[] {
  return previews
    .filter(({ state }) => state === "waiting")
    .sort((a, b) =>
      a.wantedAt === b.wantedAt ? (a.key < b.key ? -1 : 1) : a.wantedAt < b.wantedAt ? -1 : 1,
    );
}
