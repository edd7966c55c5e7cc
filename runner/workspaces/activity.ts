import type { WorkspaceContainers } from "../engine/workspace-containers.ts";

const longestMs = 15_000;
const shortestMs = 2_000;
// Of one core, on average between two looks: below this a workspace does nothing that somebody waits for. Tools that wait
// use less than a hundredth.
const busyShare = 0.03;

interface Sample {
  atMs: number;
  cpuMs: number;
}

/** Whether workspaces work, by the processor time they use. */
export class Activity {
  readonly #containers: Pick<WorkspaceContainers, "cpuMs">;
  readonly #last = new Map<string, Sample>();

  constructor(containers: Pick<WorkspaceContainers, "cpuMs">) {
    this.#containers = containers;
  }

  /** True when the container has worked since the last look that counted; looks in between are free. */
  async hasWorked(containerId: string, idleStopAfterMs: number): Promise<boolean> {
    const before = this.#last.get(containerId);
    const everyMs = Math.min(longestMs, Math.max(shortestMs, idleStopAfterMs / 4));
    const atMs = performance.now();
    if (before && atMs - before.atMs < everyMs) return false;
    const cpuMs = await this.#containers.cpuMs(containerId);
    if (cpuMs === undefined) return false;
    this.#last.set(containerId, { atMs, cpuMs });
    return before !== undefined && (cpuMs - before.cpuMs) / (atMs - before.atMs) > busyShare;
  }

  forget(containerId: string): void {
    this.#last.delete(containerId);
  }
}
