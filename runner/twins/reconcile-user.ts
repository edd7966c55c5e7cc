import { messageOf, TryLaterError } from "#core/errors";
import type { Step, TwinFacts } from "#planning/facts";
import { restartKey } from "#planning/keys";
import { pruneKeys } from "#planning/memory";
import { planTwin } from "#planning/plan-twin";
import type { Status } from "#planning/status";
import type { DesiredState, PinnedSnapshot, RefusedTwin } from "#schemas/desired-state";
import { applyStep, attach, type Effect } from "./apply-step.ts";
import { publishUnseen } from "./engine-outage.ts";
import { factsOfUser, type UserView, viewUser } from "./observe.ts";
import type { Runner } from "./runner.ts";

// A user whose plan does not settle within this many rounds is looked at again a little later: nobody else waits.
const maxRounds = 12;
const unsettledRetryMs = 1_000;
// After an error that may pass, such as an engine that restarts.
const errorRetryMs = 3_000;

/**
 * Makes what is, for one user, what the desired-state document says; then publishes what is. Looks, plans and acts
 * in rounds until there is nothing left to do now. Calls for one user must not overlap. While the engine does not
 * answer that is published, and `TryLaterError` thrown.
 */
export async function reconcileUser(runner: Runner, user: string): Promise<void> {
  let view: UserView | undefined;
  for (let round = 1; ; round += 1) {
    const desired = await runner.desired.get(user);
    const viewProblem = followView(runner, user, desired);
    view ??= await viewOrSay(runner, user);
    const facts = await factsOfUser(runner, user, desired, view);
    for (const fact of facts) follow(runner, user, fact);
    const { statuses, effect, wakeAtMs } = await actOn(runner, user, facts);
    const isLast = effect === "nothing" || round === maxRounds;
    if (isLast) {
      for (const refused of desired?.refused ?? []) {
        if (!statuses.has(refused.name)) statuses.set(refused.name, refusedStatus(refused));
      }
      const needs = await neededSnapshots(runner, user, facts);
      publish(runner, { user, generation: desired?.generation ?? 0, statuses, needs });
      const unsettledAtMs = effect === "nothing" ? Number.POSITIVE_INFINITY : Date.now() + unsettledRetryMs;
      const viewAtMs = viewProblem === undefined ? Number.POSITIVE_INFINITY : Date.now() + errorRetryMs;
      const nextMs = Math.min(wakeAtMs, unsettledAtMs, viewAtMs);
      if (Number.isFinite(nextMs)) runner.wakeAt(user, nextMs);
      if (effect === "nothing" && statuses.size === 0) await runner.engine.networks.remove(user);
      return;
    }
    // What the steps have changed is seen, and published, in the next round.
    if (effect === "world") view = undefined;
  }
}

/** The user's view is what the document says; why it could not be made so. The last good one stays then. */
function followView(runner: Runner, user: string, desired: DesiredState | undefined): string | undefined {
  if (!desired?.view) return undefined;
  try {
    runner.views.show(user, runner.views.ensure(user, desired.view.sources, desired.view.assets));
    return undefined;
  } catch (error) {
    runner.logger.warn({ user, err: messageOf(error) }, "the view stays as it was");
    return messageOf(error);
  }
}

async function viewOrSay(runner: Runner, user: string): Promise<UserView> {
  try {
    const view = await viewUser(runner, user);
    runner.outage.over();
    return view;
  } catch (error) {
    if (error instanceof TryLaterError && runner.outage.lasts()) publishUnseen(runner, user);
    throw error;
  }
}

function publish(
  runner: Runner,
  seen: {
    user: string;
    generation: number;
    statuses: ReadonlyMap<string, Status>;
    needs: readonly PinnedSnapshot[];
  },
): void {
  const { user, generation, statuses, needs } = seen;
  const { isNew, nowReady } = runner.published.publish(user, generation, statuses, needs);
  if (isNew) runner.tellController(user);
  for (const dependent of runner.desired.dependents(nowReady)) runner.nudge(dependent);
}

/** Plans each twin and does what is planned. `effect`: the strongest of all steps. */
async function actOn(
  runner: Runner,
  user: string,
  facts: readonly TwinFacts[],
): Promise<{ statuses: Map<string, Status>; effect: Effect; wakeAtMs: number }> {
  const statuses = new Map<string, Status>();
  let effect: Effect = "nothing";
  let wakeAtMs = Number.POSITIVE_INFINITY;
  for (const fact of facts) {
    const plan = planTwin(fact);
    if (plan.status) statuses.set(fact.name, plan.status);
    if (plan.wakeAtMs !== undefined) wakeAtMs = Math.min(wakeAtMs, plan.wakeAtMs);
    try {
      for (const step of plan.steps) {
        effect = stronger(effect, await applyLogged(runner, user, fact.name, step));
      }
      await forgetOldKeys(runner, user, fact);
    } catch (error) {
      // One twin's trouble is its own; it is said, and tried again.
      statuses.set(fact.name, { ...(plan.status ?? { phase: "pending" }), reason: messageOf(error) });
      wakeAtMs = Math.min(wakeAtMs, Date.now() + errorRetryMs);
    }
  }
  return { statuses, effect, wakeAtMs };
}

function stronger(one: Effect, other: Effect): Effect {
  if (one === "world" || other === "world") return "world";
  return one === "memory" || other === "memory" ? "memory" : "nothing";
}

async function applyLogged(runner: Runner, user: string, twin: string, step: Step): Promise<Effect> {
  try {
    return await applyStep(runner, user, twin, step);
  } catch (error) {
    const level = error instanceof TryLaterError ? "warn" : "error";
    runner.logger[level]({ user, twin, step: step.kind, err: messageOf(error) }, "step failed");
    throw error;
  }
}

/** Containers that ran before this process did get their log and health followed again. */
function follow(runner: Runner, user: string, fact: TwinFacts): void {
  for (const container of fact.containers) {
    if (container.state !== "running" || runner.stopping.has(container.runId)) continue;
    const { id: containerId, runId, operation } = container;
    const copy = fact.copies?.get(runId);
    const copied = copy?.state === "ready" ? copy.source : undefined;
    const sources = [fact.desired, fact.memory.lastGood?.source, copied];
    const source = sources.find((candidate) => candidate?.sourceKey === container.sourceKey);
    const healthy = fact.memory.open[runId]?.healthy ?? false;
    attach(runner, { user, twin: fact.name, runId, containerId, operation, healthy }, source?.spec.health);
  }
}

async function forgetOldKeys(runner: Runner, user: string, fact: TwinFacts): Promise<void> {
  if (!fact.desired || fact.image.state === "unknown") return;
  const wanted = new Set([restartKey(fact.desired, fact.image.hash)]);
  await runner.memory.change(user, fact.name, (memory) => pruneKeys(memory, wanted));
}

/** Snapshots that last good sources, runs which have not ended and views use, whatever the document says by now. */
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
      if (!source) continue;
      const ranCopy = "worktree" in source; // its own files are no snapshot
      needed.push(...(ranCopy ? [] : [source.own]), ...(source.shared ?? []));
    }
  }
  needed.push(...runner.views.needs(user));
  return [...new Map(needed.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}

function refusedStatus({ revision, diagnostics: [first] }: RefusedTwin): Status {
  const reason = first && `${first.file}:${first.line}:${first.column}: ${first.message}`;
  return { phase: "refused", revision, ...(reason === undefined ? {} : { reason }) };
}
