import { messageOf, TryLaterError } from "#core/errors";
import type { Step, TwinFacts } from "#planning/facts";
import { restartKey } from "#planning/keys";
import { pruneKeys } from "#planning/memory";
import { planTwin } from "#planning/plan-twin";
import type { Status } from "#planning/status";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { applyStep, attach } from "./apply-step.ts";
import { observeUser } from "./observe.ts";
import type { Runner } from "./runner.ts";

// A user whose plan does not settle within this many rounds is looked at again a little later: nobody else waits.
const maxRounds = 12;
const unsettledRetryMs = 1_000;
// After an error that may pass, such as an engine that restarts.
const errorRetryMs = 3_000;

/**
 * Makes what is, for one user, what the desired-state document says; then publishes what is. Looks, plans and acts
 * in rounds until there is nothing left to do now. Calls for one user must not overlap.
 */
export async function reconcileUser(runner: Runner, user: string): Promise<void> {
  for (let round = 1; round <= maxRounds; round += 1) {
    const desired = await runner.desired.get(user);
    const facts = await observeUser(runner, user, desired);
    for (const fact of facts) follow(runner, user, fact);
    const statuses = new Map<string, Status>();
    let again = false;
    let wakeAtMs = Number.POSITIVE_INFINITY;
    for (const fact of facts) {
      const plan = planTwin(fact);
      if (plan.status) statuses.set(fact.name, plan.status);
      if (plan.wakeAtMs !== undefined) wakeAtMs = Math.min(wakeAtMs, plan.wakeAtMs);
      const problem = await applyAll(runner, user, fact, plan.steps).then(
        (changed) => {
          again ||= changed;
          return undefined;
        },
        (error: unknown) => messageOf(error),
      );
      if (problem !== undefined) {
        // One twin's trouble is its own; it is said, and tried again.
        statuses.set(fact.name, { ...(plan.status ?? { phase: "pending" }), reason: problem });
        wakeAtMs = Math.min(wakeAtMs, Date.now() + errorRetryMs);
      }
    }
    for (const refused of desired?.refused ?? []) {
      if (!statuses.has(refused.name)) {
        statuses.set(refused.name, {
          phase: "refused",
          revision: refused.revision,
          ...firstProblem(refused.diagnostics),
        });
      }
    }
    const { isNew, nowReady } = await runner.published.publish(
      user,
      desired?.generation ?? 0,
      statuses,
      await neededSnapshots(runner, user, facts),
    );
    if (isNew) runner.tellController(user);
    if (nowReady.size > 0)
      for (const dependent of await runner.desired.dependents(nowReady)) runner.nudge(dependent);
    if (again && round === maxRounds) wakeAtMs = Math.min(wakeAtMs, Date.now() + unsettledRetryMs);
    if (Number.isFinite(wakeAtMs)) runner.wakeAt(user, wakeAtMs);
    if (!again) {
      if (statuses.size === 0) await runner.engine.networks.remove(user);
      return;
    }
  }
}

async function applyAll(
  runner: Runner,
  user: string,
  fact: TwinFacts,
  steps: readonly Step[],
): Promise<boolean> {
  let changed = false;
  for (const step of steps) {
    try {
      changed = (await applyStep(runner, user, fact.name, step)) || changed;
    } catch (error) {
      const level = error instanceof TryLaterError ? "warn" : "error";
      runner.logger[level]({ user, twin: fact.name, step: step.kind, err: messageOf(error) }, "step failed");
      throw error;
    }
  }
  await forgetOldKeys(runner, user, fact);
  return changed;
}

/** Containers that ran before this process did get their log and health followed again. */
function follow(runner: Runner, user: string, fact: TwinFacts): void {
  for (const container of fact.containers) {
    if (container.state !== "running" || runner.stopping.has(container.runId)) continue;
    const { id: containerId, runId, operation } = container;
    const sources = [fact.desired, fact.memory.lastGood?.source];
    const source = sources.find((candidate) => candidate?.sourceKey === container.sourceKey);
    const healthy = fact.memory.open[runId]?.healthy ?? false;
    attach(runner, { user, twin: fact.name, runId, containerId, operation, healthy }, source?.spec.health);
  }
}

async function forgetOldKeys(runner: Runner, user: string, fact: TwinFacts): Promise<void> {
  if (!fact.desired || fact.image.state === "unknown") return;
  const wanted = new Set([restartKey(fact.desired.sourceKey, fact.image.hash)]);
  await runner.memory.change(user, fact.name, (memory) => pruneKeys(memory, wanted));
}

/** Snapshots that last good sources and runs which have not ended use, whatever the document says by now. */
async function neededSnapshots(
  runner: Runner,
  user: string,
  facts: readonly TwinFacts[],
): Promise<PinnedSnapshot[]> {
  const needed: PinnedSnapshot[] = [];
  for (const { name, desired } of facts) {
    const { lastGood, open } = await runner.memory.get(user, name); // as it is after the steps of this round
    const current = [desired?.sourceKey, lastGood?.source.sourceKey];
    const manifests = await Promise.all(
      Object.keys(open).map((runId) => runner.runs.manifest({ user, twin: name, runId })),
    );
    const others = manifests.filter((manifest) => manifest && !current.includes(manifest.sourceKey));
    for (const source of [desired, lastGood?.source, ...others]) {
      if (source) needed.push(source.own, ...(source.common ? [source.common] : []));
    }
  }
  return [...new Map(needed.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}

function firstProblem(
  diagnostics: readonly { file: string; line: number; column: number; message: string }[],
): { reason?: string } {
  const [first] = diagnostics;
  return first ? { reason: `${first.file}:${first.line}:${first.column}: ${first.message}` } : {};
}
