import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Delivery, post } from "./signed-delivery.ts";

const maxSockets = 64;
const warmUpMs = 1_000; // first requests find cold code; they are sent and not counted

export interface SentAtRate {
  /** Milliseconds from the moment each was due to its answer, ascending. */
  spentMs: number[];
  /** Answers other than 202. */
  refused: number;
  /** How far behind its plan the sender was at worst, in milliseconds. */
  worstDelayMs: number;
}

/**
 * Sends so many a second and does not wait for answers: a slow one does not hide those behind it. Time counts from the
 * moment a delivery was due, so that a sender that lags makes the figures worse, never better.
 */
export async function sendAtRate(
  load: { perSecond: number; seconds: number },
  next: (n: number) => { url: string; delivery: Delivery },
): Promise<SentAtRate> {
  const agent = new Agent({ keepAlive: true, maxSockets });
  const gapMs = 1_000 / load.perSecond;
  const spentMs: number[] = [];
  let refused = 0;
  let worstDelayMs = 0;
  const answers: Promise<void>[] = [];
  const start = performance.now() + gapMs;
  const firstCounted = start + warmUpMs;
  for (let n = 0; ; n += 1) {
    const due = start + n * gapMs;
    if (due >= firstCounted + load.seconds * 1_000) break;
    const now = performance.now();
    if (due > now) await sleep(due - now);
    const { url, delivery } = next(n);
    worstDelayMs = Math.max(worstDelayMs, performance.now() - due);
    const answered = post(url, agent, delivery).then((status) => {
      if (due >= firstCounted) spentMs.push(performance.now() - due);
      if (status !== 202) refused += 1;
    });
    answers.push(answered);
  }
  await Promise.all(answers);
  agent.destroy();
  return { spentMs: spentMs.sort((a, b) => a - b), refused, worstDelayMs };
}
