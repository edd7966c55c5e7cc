import { randomUUID } from "node:crypto";
import { AppendLog } from "#core/append-log";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import type { DeliveryView } from "#schemas/api";
import { type Delivery, DeliveryIndex, type DeliveryOutcome } from "./delivery-index.ts";
import type { Intent } from "./to-intent.ts";

const keepMs = 7 * 24 * 3600 * 1000; // deliveries can be asked about for a week
const maxOpen = 100_000; // beyond this the workers are hopelessly behind, and the host hears "later"

/** A verified delivery on its way into the journal. */
export interface NewDelivery {
  /** The host's own id, the same when it sends the delivery again; one is made where there is none. */
  key: string | undefined;
  projectId: number;
  /** Full path; `null` where the delivery names no project. */
  project: string | null;
  /** Kind of event, in our words. */
  event: string;
  intent: Intent;
}

/** How the work for a project ended. */
export interface Settlement {
  /** From `mark()`, taken before the work began: deliveries that came later still wait. */
  upTo: number;
  outcome: Exclude<DeliveryView["outcome"], "accepted">;
  reason?: string | undefined;
  revision?: string | undefined;
  generation?: number | undefined;
}

type JournalLine = { accepted: Delivery } | { settled: DeliveryOutcome; ids: string[] };

/**
 * The journal of deliveries. One that was accepted is on disk, is worked on sooner or later even when every process is
 * killed in between, and can be followed to its outcome.
 */
export class Deliveries {
  readonly #log: AppendLog;
  readonly #index: DeliveryIndex;
  readonly #onUnwritten: (error: unknown) => void;
  readonly #writing = new Map<string, Promise<void>>();

  private constructor(log: AppendLog, index: DeliveryIndex, onUnwritten: (error: unknown) => void) {
    this.#log = log;
    this.#index = index;
    this.#onUnwritten = onUnwritten;
  }

  /**
   * Reads the journal in `folder`; what has no outcome there waits again. `onUnwritten` hears of outcomes that could
   * not be journalled: that work is merely done once more after a restart. `onUnreadable` hears of lines that are none of ours; their
   * deliveries are healed by the comparison with the host.
   */
  static async open(
    folder: string,
    onUnwritten: (error: unknown) => void,
    onUnreadable: (path: string, lines: number[]) => void = () => undefined,
  ): Promise<Deliveries> {
    const index = new DeliveryIndex();
    const log = await AppendLog.open(folder, {
      replay: (entry) => replay(index, entry.value),
      keepMs,
      onUnreadable,
    });
    return new Deliveries(log, index, onUnwritten);
  }

  /**
   * Journals a delivery and resolves when it would survive a power cut. One that the host has sent before is answered
   * with its first id and `isNew: false`. Throws `TryLaterError`, or `ActionNeededError("DISK_FULL")`, when it cannot be
   * kept; then it never came.
   */
  async accept(delivery: NewDelivery): Promise<{ id: string; isNew: boolean }> {
    const { key, projectId, intent } = delivery;
    const known = key === undefined ? undefined : this.#index.find(projectId, key);
    if (known !== undefined) {
      await this.#writing.get(known.id);
      return { id: known.id, isNew: false };
    }
    if (this.#index.openCount >= maxOpen) {
      throw new TryLaterError("Too many deliveries wait to be worked on", { retryAfterMs: 60_000 });
    }
    const at = new Date().toISOString();
    const waitsFor = workOf(intent);
    const isWork = waitsFor !== null;
    const accepted: Delivery = {
      // The host's id is what people see there; another project cannot take it away.
      id: key !== undefined && this.#index.get(key) === undefined ? key : randomUUID(),
      acceptedAt: at,
      event: delivery.event,
      project: delivery.project,
      outcome: isWork ? "accepted" : "ignored",
      reason: "reason" in intent ? intent.reason : null,
      finishedAt: isWork ? null : at,
      revision: null,
      generation: null,
      projectId,
      key: key ?? null,
      ...(waitsFor === delivery.project ? {} : { waitsFor }),
    };
    this.#index.add(accepted);
    const writing = this.#append({ accepted });
    this.#writing.set(accepted.id, writing);
    try {
      await writing;
    } catch (error) {
      this.#index.forget(accepted.id);
      throw error;
    } finally {
      this.#writing.delete(accepted.id);
    }
    return { id: accepted.id, isNew: true };
  }

  /** Where we are now; see `Settlement.upTo`. */
  mark(): number {
    return this.#index.number;
  }

  /**
   * Gives every delivery that waits for this work and came up to the mark its outcome: of a project by its path, of a merge
   * request by `reviewWork`. Returns how many there were.
   */
  settle(work: string, settlement: Settlement): number {
    const ids = this.#index.waitingFor(work, settlement.upTo);
    if (ids.length === 0) return 0;
    const settled: DeliveryOutcome = {
      outcome: settlement.outcome,
      reason: settlement.reason ?? null,
      finishedAt: new Date().toISOString(),
      revision: settlement.revision ?? null,
      generation: settlement.generation ?? null,
    };
    this.#index.settle(ids, settled);
    this.#append({ settled, ids }).catch(this.#onUnwritten);
    return ids.length;
  }

  /** Full paths of the projects with deliveries that wait: to be nudged after a start. */
  waitingProjects(): string[] {
    return this.#index.waitingWork.filter((work) => parseReviewWork(work) === undefined);
  }

  /** The same of merge requests. */
  waitingReviews(): { project: string; iid: number }[] {
    return this.#index.waitingWork.flatMap((work) => parseReviewWork(work) ?? []);
  }

  async get(id: string): Promise<DeliveryView | undefined> {
    const found = this.#index.get(id);
    return found && toView(found);
  }

  /** Newest first. */
  async list(limit: number): Promise<DeliveryView[]> {
    return this.#index.newest(limit).map(toView);
  }

  /** Resolves when everything is on disk. */
  close(): Promise<void> {
    return this.#log.close();
  }

  async #append(line: JournalLine): Promise<void> {
    try {
      await this.#log.append(line);
    } catch (cause) {
      if (isSystemError(cause, "ENOSPC")) {
        throw new ActionNeededError("DISK_FULL", "The journal of deliveries cannot grow: the disk is full", {
          hint: "Make room on the disk that holds the data folder.",
          cause,
        });
      }
      throw new TryLaterError("The delivery cannot be journalled", { retryAfterMs: 5_000, cause });
    }
  }
}

/** The work for a merge request, beside that for its project: `!` stands in no path. */
export function reviewWork(project: string, iid: number): string {
  return `${project}!${iid}`;
}

function parseReviewWork(work: string): { project: string; iid: number } | undefined {
  const [, project, iid] = /^(.+)!(\d+)$/.exec(work) ?? [];
  return project === undefined ? undefined : { project, iid: Number(iid) };
}

function workOf(intent: Intent): string | null {
  if (intent.kind === "reconcile") return intent.project;
  return intent.kind === "review" ? reviewWork(intent.project, intent.iid) : null;
}

function replay(index: DeliveryIndex, value: unknown): void {
  const line = value as Partial<{ accepted: Delivery; settled: DeliveryOutcome; ids: string[] }> | null;
  if (isDelivery(line?.accepted)) index.add(line.accepted);
  else if (typeof line?.settled?.outcome === "string" && Array.isArray(line.ids))
    index.settle(line.ids, line.settled);
  else throw new Error("neither a delivery nor an outcome");
}

function isDelivery(value: Delivery | undefined): value is Delivery {
  if (typeof value !== "object" || value === null) return false;
  const { id, projectId, project, outcome, key } = value;
  const isText = (text: unknown) => text === null || typeof text === "string";
  return (
    typeof id === "string" &&
    typeof projectId === "number" &&
    typeof outcome === "string" &&
    isText(project) &&
    isText(key)
  );
}

function toView({
  id,
  acceptedAt,
  event,
  project,
  outcome,
  reason,
  finishedAt,
  revision,
  generation,
}: Delivery): DeliveryView {
  return { id, acceptedAt, event, project, outcome, reason, finishedAt, revision, generation };
}
