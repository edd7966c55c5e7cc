import { messageOf, TryLaterError } from "#core/errors";
import type { OnSetAside } from "#core/read-or-set-aside";
import { planPreview } from "#planning/plan-preview";
import { earliest } from "#planning/status";
import type { ObservedPreview, WantedPreview } from "#schemas/previews";
import type { PreviewContainers } from "../engine/engine.ts";
import { Looks } from "../queue/looks.ts";
import { Wakes } from "../queue/wakes.ts";
import { previewLayerId } from "../twins/names.ts";
import type { Runner } from "../twins/runner.ts";
import { applyPreviewStep } from "./apply-preview-step.ts";
import {
  factsOfPreviews,
  isOpen,
  ownersOf,
  type PreviewRemains,
  type PreviewSeen,
  viewPreviews,
} from "./observe-previews.ts";
import { PreviewFiles } from "./preview-files.ts";
import { recordPreview } from "./record-preview.ts";

// Users whose previews are looked at at the same time; a look only starts containers, it never waits for one.
const usersAtOnce = 2;
// A plan that does not settle within this many rounds goes on a little later.
const maxRounds = 20;
const errorRetryMs = 3_000;
// How often documents are looked for whose nudge was lost with Redis, and layers with a limit are measured.
const watchMs = 5_000;
// Every so many times the engine is asked about all previews: for what a crash has left, and events that were lost.
const watchesPerSweep = 12;
const nothing: PreviewRemains = { containers: [], networks: [], layers: [] };

/** Makes of previews what their documents say, and publishes what is seen. */
export interface RunnerPreviews {
  /** Looks at the previews of one user, plans and acts until nothing is left to do now. */
  look(user: string): Promise<void>;
  /** Those of everybody of which something may still begin: their images are in use. */
  open(): Promise<WantedPreview[]>;
  /** The engine's events may have been missed: everything is looked at. */
  lookAtAll(): void;
  close(): Promise<void>;
}

/** Begins to look after previews. Those that run go on when it is closed. */
export function startPreviews(runner: Runner, onSetAside: OnSetAside): RunnerPreviews {
  return new PreviewLooker(runner, new PreviewFiles(runner.data, onSetAside));
}

class PreviewLooker implements RunnerPreviews {
  readonly #runner: Runner;
  readonly #files: PreviewFiles;
  readonly #looks = new Looks(usersAtOnce, (user) => this.#lookOrSay(user));
  readonly #wakes = new Wakes((user) => void this.look(user));
  readonly #timer: NodeJS.Timeout;
  /** Names and times of the documents of each user when they were looked at last. */
  readonly #stamps = new Map<string, string>();
  #watches = 0;
  #watching: Promise<void> | undefined;

  constructor(runner: Runner, files: PreviewFiles) {
    this.#runner = runner;
    this.#files = files;
    this.#timer = setInterval(() => this.#watch(), watchMs);
    this.#watch();
  }

  look(user: string): Promise<void> {
    return this.#looks.ask(user);
  }

  async open(): Promise<WantedPreview[]> {
    const all: WantedPreview[] = [];
    for (const user of await this.#files.users()) {
      const seen = await factsOfPreviews(this.#runner, this.#files, user, nothing);
      all.push(...seen.flatMap(({ wanted, facts }) => (wanted && isOpen(wanted, facts.seen) ? wanted : [])));
    }
    return all;
  }

  lookAtAll(): void {
    this.#watches = 0;
    this.#watch();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#wakes.close();
    await this.#watching;
    await this.#looks.close();
  }

  #watch(): void {
    if (this.#watching) return;
    const isSweep = this.#watches % watchesPerSweep === 0;
    this.#watches += 1;
    this.#watching = (isSweep ? this.#lookAtAll() : this.#lookAtNews())
      .catch((error: unknown) => {
        this.#runner.logger.warn(
          { err: messageOf(error) },
          "previews could not be watched; tried again soon",
        );
      })
      .finally(() => {
        this.#watching = undefined;
      });
  }

  async #lookAtAll(): Promise<void> {
    const { previews } = this.#runner.engine;
    const remains = previews ? await viewPreviews(this.#runner, previews) : nothing;
    for (const user of new Set([...(await this.#files.users()), ...ownersOf(remains)])) void this.look(user);
  }

  async #lookAtNews(): Promise<void> {
    for (const user of await this.#files.users()) {
      const stamp = await this.#files.stamp(user);
      if (stamp !== this.#stamps.get(user) || (await this.#isFull(user))) void this.look(user);
    }
  }

  /** Measures what previews with a limit have written: has one of them more than it may? */
  async #isFull(user: string): Promise<boolean> {
    for (const id of await this.#files.ids(user)) {
      const seen = await this.#files.seen({ user, id });
      for (const wanted of (await this.#files.wanted({ user, id }))?.twins ?? []) {
        const limit = wanted.resources.diskBytes;
        const record = seen?.twins.find(({ name }) => name === wanted.name);
        if (limit === undefined || record?.phase !== "running" || record.runs.length === 0) continue;
        const layer = previewLayerId({ user, id, twin: wanted.name }, wanted);
        if ((await this.#runner.disk.again(layer)) > limit) return true;
      }
    }
    return false;
  }

  async #lookOrSay(user: string): Promise<void> {
    try {
      await this.#look(user);
    } catch (error) {
      const level = error instanceof TryLaterError ? "warn" : "error";
      this.#runner.logger[level](
        { user, err: messageOf(error) },
        "previews could not be looked at; soon again",
      );
      this.#wakes.at(user, Date.now() + errorRetryMs);
    }
  }

  async #look(user: string): Promise<void> {
    this.#stamps.set(user, await this.#files.stamp(user));
    for (let round = 1; ; round += 1) {
      const { previews } = this.#runner.engine;
      const remains = previews ? await viewPreviews(this.#runner, previews) : nothing;
      const all = await factsOfPreviews(this.#runner, this.#files, user, remains);
      let again = false;
      let wakeAtMs: number | undefined;
      for (const seen of all) {
        this.#follow(seen);
        const done = await this.#actOn(seen, previews);
        again ||= done.again;
        wakeAtMs = earliest(wakeAtMs, done.wakeAtMs);
        // Whether another one may begin depends on what has just begun.
        if (again) break;
      }
      if (again && round < maxRounds) continue;
      if (!again) await this.#forgetEmpty(user, all);
      if (again) wakeAtMs = earliest(wakeAtMs, Date.now() + errorRetryMs);
      if (wakeAtMs !== undefined) this.#wakes.at(user, wakeAtMs);
      return;
    }
  }

  /** Folders of which nobody knows anything any more, such as one with a record that could not be read. */
  async #forgetEmpty(user: string, all: readonly PreviewSeen[]): Promise<void> {
    for (const id of await this.#files.ids(user)) {
      if (all.some(({ scope }) => scope.id === id) || (await this.#files.isWanted({ user, id }))) continue;
      await this.#files.forget({ user, id });
      this.#runner.tellController(user);
    }
  }

  async #actOn(
    seen: PreviewSeen,
    previews: PreviewContainers | undefined,
  ): Promise<{ again: boolean; wakeAtMs?: number | undefined }> {
    const { scope, wanted } = seen;
    const recorder = { runner: this.#runner, files: this.#files };
    const plan = planPreview(seen.facts);
    try {
      let again = false;
      for (const step of plan.steps) {
        if (previews) {
          const parts = { ...recorder, previews, nudge: (user: string) => void this.look(user) };
          again = (await applyPreviewStep(parts, seen, step)) || again;
        } else if (step.kind === "forget") {
          await this.#files.dropKept(scope, scope.twin);
          await recordPreview(recorder, scope, () => undefined);
        }
      }
      const { status } = plan;
      if (status && wanted) {
        await recordPreview(recorder, scope, (before) => withStatus(before, wanted, status));
        again ||= status.phase !== seen.facts.seen?.phase && previews !== undefined;
      }
      return { again, wakeAtMs: plan.wakeAtMs };
    } catch (error) {
      // One preview's trouble is its own; it is said, and tried again.
      const reason = messageOf(error);
      this.#runner.logger.warn({ ...scope, err: reason }, "a preview's step failed; tried again soon");
      if (wanted) {
        const phase = seen.facts.seen?.phase ?? "waiting";
        await recordPreview(recorder, scope, (before) => withStatus(before, wanted, { phase, reason }));
      }
      return { again: false, wakeAtMs: Date.now() + errorRetryMs };
    }
  }

  /** Containers that ran before this process did get their log followed again. */
  #follow({ scope, containers }: PreviewSeen): void {
    const runs = this.#files.runs(scope);
    for (const { id, state, labels } of containers) {
      if (state !== "running" || this.#runner.stopping.has(labels.run)) continue;
      this.#runner.logs.follow(labels.run, id, runs.folder({ ...scope, runId: labels.run }));
    }
  }
}

function withStatus(
  before: ObservedPreview | undefined,
  wanted: WantedPreview,
  status: Pick<ObservedPreview, "phase"> & { reason?: string },
): ObservedPreview {
  const { name, commit, attempt } = wanted;
  const since = before?.phase === status.phase ? before.since : new Date().toISOString();
  const { phase, reason } = status;
  const said = reason === undefined ? {} : { reason: reason.slice(0, 10_000) };
  return { name, commit, attempt, phase, since, ...said, runs: before?.runs ?? [] };
}
