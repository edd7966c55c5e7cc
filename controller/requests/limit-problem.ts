import type { DesiredState } from "#schemas/desired-state";
import { addUse, excess, noUse, type Use, useOf } from "#schemas/use";

/**
 * Why the user's limits do not allow one container for each of these twins, a twin named as often as it has one, beside
 * the twins that are kept up and whatever else runs; `undefined` where they do. Pure.
 */
export function limitProblem(
  desired: DesiredState,
  asked: readonly string[],
  others: Use = noUse,
): string | undefined {
  let use = others;
  for (const twin of desired.twins) {
    if (twin.admittedAt !== undefined) use = addUse(use, useOf(twin));
    const times = asked.filter((name) => name === twin.name).length;
    // An operation is no twin of its own: cores and memory are what it takes.
    for (let count = 0; count < times; count += 1) use = addUse(use, { ...useOf(twin), twins: 0 });
  }
  return excess(use, desired.limits, desired.user);
}
