import { join } from "node:path";
import { writeJsonUnflushed } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { Status } from "#planning/status";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { checkObservedState } from "#schemas/documents/check-documents";
import type { ObservedState, ObservedTwin } from "#schemas/observed-state";
import { listFolder } from "../runs/run-store.ts";

/** What was observed, as published on disk; a document is written only when it says something new. */
export class PublishedStates {
  readonly #data: DataFolder;
  readonly #states = new Map<string, ObservedState>();

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  /** What cannot be understood on disk is set aside: it is observed again. */
  static async open(data: DataFolder, onSetAside: OnSetAside): Promise<PublishedStates> {
    const published = new PublishedStates(data);
    for (const name of await listFolder(data.observed)) {
      if (!name.endsWith(".json")) continue;
      const path = join(data.observed, name);
      const state = await readOrSetAside(path, { check: checkObservedState, onSetAside });
      if (state) published.#states.set(state.user, state);
    }
    return published;
  }

  get(user: string): ObservedState | undefined {
    return this.#states.get(user);
  }

  users(): string[] {
    return [...this.#states.keys()];
  }

  /** Is the twin `user/twin` up and healthy, or done? */
  isReady(name: string): boolean {
    const [user = "", twin] = name.split("/");
    const phase = this.#states.get(user)?.twins.find((candidate) => candidate.name === twin)?.phase;
    return phase === "live" || phase === "completed";
  }

  /** Returns the twins, `user/twin`, that have become ready, and whether anything was new. */
  publish(
    user: string,
    generation: number,
    statuses: ReadonlyMap<string, Status>,
    needs: readonly PinnedSnapshot[],
  ): { isNew: boolean; nowReady: Set<string> } {
    const before = this.#states.get(user);
    const now = new Date().toISOString();
    const twins = [...statuses].map(([name, status]) => observedTwin(name, status, before, now));
    const isNew =
      before?.generation !== generation ||
      JSON.stringify([before.twins, before.needs]) !== JSON.stringify([twins, needs]);
    if (!isNew) return { isNew, nowReady: new Set() };
    const readyBefore = new Set(
      twins.map(({ name }) => `${user}/${name}`).filter((name) => this.isReady(name)),
    );
    const state: ObservedState = { version: 1, user, generation, observedAt: now, twins, needs: [...needs] };
    writeJsonUnflushed(join(this.#data.observed, `${user}.json`), state);
    this.#states.set(user, state);
    const nowReady = twins
      .map(({ name }) => `${user}/${name}`)
      .filter((name) => this.isReady(name) && !readyBefore.has(name));
    return { isNew, nowReady: new Set(nowReady) };
  }
}

function observedTwin(
  name: string,
  status: Status,
  before: ObservedState | undefined,
  now: string,
): ObservedTwin {
  const last = before?.twins.find((twin) => twin.name === name);
  const since = last?.phase === status.phase && last.runId === status.runId ? last.since : now;
  return { name, restarts: 0, ...status, since };
}
