import type { DesiredTwin } from "./desired-state.ts";
import type { UserLimits } from "./twin-spec.ts";

/** What twins of one user take together. */
export interface Use {
  twins: number;
  cpus: number;
  memoryBytes: number;
}

export const noUse: Use = { twins: 0, cpus: 0, memoryBytes: 0 };

/** What one twin takes that is kept up. */
export function useOf({ spec }: Pick<DesiredTwin, "spec">): Use {
  const { cpus, memoryBytes } = spec.resources;
  return { twins: 1, cpus, memoryBytes };
}

export function addUse(a: Use, b: Use, factor: 1 | -1 = 1): Use {
  return {
    twins: a.twins + factor * b.twins,
    cpus: a.cpus + factor * b.cpus,
    memoryBytes: a.memoryBytes + factor * b.memoryBytes,
  };
}

const cpuDust = 1e-6; // sums of fractions are not exact

/** Which limit this would exceed, by how much, in one sentence for people; `undefined` where it fits. */
export function excess(use: Use, limits: UserLimits | undefined, user: string): string | undefined {
  const say = (much: string, allowed: string, field: string) =>
    `over the limit: ${user} would use ${much}, ${allowed} are allowed (limits.perUser.${field} in platform.yaml)`;
  const { twins, cpus, memoryBytes } = limits ?? {};
  if (twins !== undefined && use.twins > twins)
    return say(`${use.twins} running twins`, String(twins), "twins");
  if (cpus !== undefined && use.cpus > cpus + cpuDust) {
    return say(`${Number(use.cpus.toFixed(2))} processor cores`, String(cpus), "cpus");
  }
  if (memoryBytes !== undefined && use.memoryBytes > memoryBytes) {
    return say(`${mebibytes(use.memoryBytes)} of memory`, mebibytes(memoryBytes), "memory");
  }
  return undefined;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
