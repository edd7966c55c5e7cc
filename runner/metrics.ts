import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Outcome } from "#schemas/run";

// From a look that changes nothing to one that waits for a slow engine, in seconds.
const lookBuckets = [0.01, 0.05, 0.2, 1, 5, 20];
// From a cached layer to a large image, in seconds.
const buildBuckets = [1, 5, 20, 60, 300, 900];

/** What this process measures. Label values are few and known: no names of users or twins. */
export interface RunnerMetrics {
  registry: Registry;
  lookSeconds: Histogram<"result">;
  runsEnded: Counter<"outcome">;
  buildSeconds: Histogram<"result">;
  twins: Gauge<"phase">;
}

export function runnerMetrics(): RunnerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    lookSeconds: new Histogram({
      name: "dtaas_runner_look_seconds",
      help: "Time of one look at one user: observe, plan, act.",
      labelNames: ["result"],
      buckets: lookBuckets,
      registers,
    }),
    runsEnded: new Counter({
      name: "dtaas_runner_runs_total",
      help: "Runs that have ended, by outcome.",
      labelNames: ["outcome"],
      registers,
    }),
    buildSeconds: new Histogram({
      name: "dtaas_runner_build_seconds",
      help: "Time to build a workspace image.",
      labelNames: ["result"],
      buckets: buildBuckets,
      registers,
    }),
    twins: new Gauge({
      name: "dtaas_runner_twins",
      help: "Digital twins that this runner looks after, by phase.",
      labelNames: ["phase"],
      registers,
    }),
  };
}

export function countRun(metrics: RunnerMetrics, outcome: Outcome): void {
  metrics.runsEnded.inc({ outcome });
}
