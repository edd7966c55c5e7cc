import type { Status } from "#planning/status";
import type { ObservedTwin, Phase } from "#schemas/observed-state";
import type { Runner } from "./runner.ts";

// An answer that is late once is not worth telling everybody; an engine that restarts is away for longer.
const toldAfterMs = 2_000;

// What these phases say is true only as long as the containers can be seen.
const needsSight: ReadonlySet<Phase> = new Set(["creating", "starting", "live", "restarting", "stopping"]);

/** How long the engine has not answered, if it does not. */
export class EngineOutage {
  #sinceMs: number | undefined;

  /** Call for each answer that did not come: whether it has been away for so long that people are to be told. */
  lasts(nowMs = Date.now()): boolean {
    this.#sinceMs ??= nowMs;
    return nowMs - this.#sinceMs >= toldAfterMs;
  }

  over(): void {
    this.#sinceMs = undefined;
  }
}

/** Says of every twin of a user that is thought to run that nobody can see it now. */
export function publishUnseen(runner: Runner, user: string): void {
  const before = runner.published.get(user);
  if (!before) return;
  const statuses = new Map(before.twins.map((twin) => [twin.name, unseen(twin)]));
  const { isNew } = runner.published.publish(user, before.generation, statuses, before.needs);
  if (isNew) runner.tellController(user);
}

function unseen({ name: _name, since: _since, ...seen }: ObservedTwin): Status {
  if (!needsSight.has(seen.phase)) return seen;
  return { ...seen, phase: "unknown", reason: `the container engine does not answer; it was ${seen.phase}` };
}
