import type { DeliveryView } from "#schemas/api";

const maxSettled = 20_000; // newest ones kept in memory, about 10 MB

/** A delivery as it is kept; `key` is the host's own id of it. */
export interface Delivery extends DeliveryView {
  projectId: number;
  key: string | null;
  /** The work that it waits for, where that is not for its project. */
  waitsFor?: string | null;
}

/** How deliveries ended, as it stands in the journal. */
export interface DeliveryOutcome {
  outcome: Exclude<DeliveryView["outcome"], "accepted">;
  reason: string | null;
  finishedAt: string;
  revision: string | null;
  generation: number | null;
}

/** Deliveries in memory, by id, by the host's key and, while they wait, by the work they wait for. Bounded: old settled ones go. */
export class DeliveryIndex {
  readonly #open = new Map<string, Delivery & { number: number }>();
  readonly #settled = new Map<string, Delivery & { number: number }>();
  readonly #ids = new Map<string, string>();
  readonly #waiting = new Map<string, Set<string>>();
  #number = 0;

  /** Counts up with each delivery. */
  get number(): number {
    return this.#number;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** What somebody has yet to do: paths of projects, and other work by its name. */
  get waitingWork(): string[] {
    return [...this.#waiting.keys()];
  }

  get(id: string): Delivery | undefined {
    return this.#open.get(id) ?? this.#settled.get(id);
  }

  /** The delivery that the host has sent under this key for this project. */
  find(projectId: number, key: string): Delivery | undefined {
    const id = this.#ids.get(`${projectId} ${key}`);
    return id === undefined ? undefined : this.get(id);
  }

  add(delivery: Delivery): void {
    this.#number += 1;
    const numbered = { ...delivery, number: this.#number };
    if (delivery.key !== null) this.#ids.set(`${delivery.projectId} ${delivery.key}`, delivery.id);
    if (delivery.outcome !== "accepted") {
      this.#keepSettled(numbered);
      return;
    }
    this.#open.set(delivery.id, numbered);
    const work = workOf(delivery);
    if (work === null) return;
    const waiting = this.#waiting.get(work);
    if (waiting) waiting.add(delivery.id);
    else this.#waiting.set(work, new Set([delivery.id]));
  }

  /** As if it had never come. */
  forget(id: string): void {
    const delivery = this.get(id);
    if (delivery === undefined) return;
    this.#open.delete(id);
    this.#settled.delete(id);
    if (delivery.key !== null) this.#ids.delete(`${delivery.projectId} ${delivery.key}`);
    this.#stopWaiting(delivery);
  }

  /** Ids that wait for this work and came no later than `upTo`. */
  waitingFor(work: string, upTo: number): string[] {
    const ids = [...(this.#waiting.get(work) ?? [])];
    return ids.filter((id) => (this.#open.get(id)?.number ?? Number.POSITIVE_INFINITY) <= upTo);
  }

  /** Ids that are not there or have an outcome already are left as they are. */
  settle(ids: readonly string[], outcome: DeliveryOutcome): void {
    for (const id of ids) {
      const delivery = this.#open.get(id);
      if (delivery === undefined) continue;
      this.#open.delete(id);
      this.#stopWaiting(delivery);
      this.#keepSettled({ ...delivery, ...outcome });
    }
  }

  /** Newest first. */
  newest(limit: number): Delivery[] {
    const all = [...this.#open.values(), ...this.#settled.values()];
    return all.sort((a, b) => b.number - a.number).slice(0, limit);
  }

  #keepSettled(delivery: Delivery & { number: number }): void {
    this.#settled.set(delivery.id, delivery);
    const [oldest] = this.#settled.keys();
    if (this.#settled.size > maxSettled && oldest !== undefined) this.forget(oldest);
  }

  #stopWaiting(delivery: Delivery): void {
    const work = workOf(delivery);
    if (work === null) return;
    const waiting = this.#waiting.get(work);
    waiting?.delete(delivery.id);
    if (waiting?.size === 0) this.#waiting.delete(work);
  }
}

function workOf({ project, waitsFor }: Delivery): string | null {
  return waitsFor === undefined ? project : waitsFor;
}
