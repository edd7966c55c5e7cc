import { setTimeout as delay } from "node:timers/promises";
import { isSystemError, messageOf } from "#core/errors";
import type { Items, TwinView } from "#schemas/api";
import type { Phase } from "#schemas/observed-state";

const pollMs = 300;
const steadyMs = 3_000; // what was observed before this start counts after the runner had this long to look again
const answerMs = 5_000;

type Seen = Pick<TwinView, "user" | "name" | "phase" | "reason" | "since" | "state" | "applied" | "suspend">;

export interface AwaitedTwins {
  /** Where they wanted to be: live, completed or ready, by their `state`. */
  settled: Seen[];
  /** Given up by the platform; their reason says why. */
  failed: Seen[];
  /** Not there when the deadline came. */
  missing: { twin: string; phase: Phase | "unknown"; reason: string | null }[];
}

/**
 * Follows all twins until each is where Git wants it, or has failed, or the deadline has come. `expected` names those that have to
 * appear. Changes of phase are told as they are seen.
 */
export async function awaitTwins(options: {
  apiUrl: string;
  token: string;
  expected: string[];
  deadlineMs: number;
  signal: AbortSignal;
  onChange: (twin: string, from: Phase | undefined, to: Phase, reason: string | null) => void;
  onWaiting: (text: string) => void;
}): Promise<AwaitedTwins> {
  const startedAt = Date.now();
  const phases = new Map<string, Phase>();
  let twins: Seen[] = [];
  let trouble = "";
  for (;;) {
    try {
      twins = await listTwins(options.apiUrl, options.token);
      trouble = "";
    } catch (error) {
      trouble = messageOf(error);
    }
    for (const twin of twins) {
      const name = nameOf(twin);
      const before = phases.get(name);
      if (before !== twin.phase) options.onChange(name, before, twin.phase, twin.reason);
      phases.set(name, twin.phase);
    }
    const waiting = twins.filter((twin) => standing(twin, startedAt) === "waiting");
    const unseen = options.expected.filter((name) => !phases.has(name));
    const mayHaveMore = options.expected.length === 0 && Date.now() - startedAt < steadyMs;
    const isOver = Date.now() - startedAt > options.deadlineMs || options.signal.aborted;
    if (isOver || (trouble === "" && waiting.length === 0 && unseen.length === 0 && !mayHaveMore)) {
      return {
        settled: twins.filter((twin) => standing(twin, startedAt) === "settled"),
        failed: twins.filter((twin) => standing(twin, startedAt) === "failed"),
        missing: [
          ...waiting.map((twin) => ({ twin: nameOf(twin), phase: twin.phase, reason: twin.reason })),
          ...unseen.map((twin) => ({
            twin,
            phase: "unknown" as const,
            reason: trouble === "" ? null : trouble,
          })),
        ],
      };
    }
    const left = [...waiting.map((twin) => `${nameOf(twin)} (${twin.phase})`), ...unseen];
    options.onWaiting(trouble === "" ? `waiting for ${left.join(", ")}` : trouble);
    await delay(pollMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

async function listTwins(apiUrl: string, token: string): Promise<Seen[]> {
  const response = await fetch(`${apiUrl}/api/v1/twins`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(answerMs),
  }).catch((error: unknown) => {
    const refused = error instanceof Error && isSystemError(error.cause, "ECONNREFUSED");
    throw new Error(
      refused ? "the controller does not listen" : `the controller does not answer: ${messageOf(error)}`,
    );
  });
  if (!response.ok) throw new Error(`the controller answered ${response.status} when asked for the twins`);
  return ((await response.json()) as Items<Seen>).items;
}

/** Whether a twin is where it wants to be. */
export function standing(twin: Seen, startedAt: number, now = Date.now()): "settled" | "failed" | "waiting" {
  if (twin.phase === "failed" || twin.phase === "refused") return "failed";
  if (twin.suspend) return "settled"; // it is only watched
  const isThere =
    twin.state === "running"
      ? ["live", "completed"].includes(twin.phase)
      : ["ready", "completed"].includes(twin.phase);
  const isNews = twin.since !== null && Date.parse(twin.since) >= startedAt;
  const isSteady = isNews || now - startedAt >= steadyMs;
  return isThere && twin.applied && isSteady ? "settled" : "waiting";
}

function nameOf(twin: Seen): string {
  return `${twin.user}/${twin.name}`;
}
