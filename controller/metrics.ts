import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

// From a cached answer to a slow Git host, in seconds.
const httpBuckets = [0.005, 0.02, 0.1, 0.5, 2, 10];
const reconcileBuckets = [0.05, 0.2, 1, 5, 20, 60];

/** What this process measures. Label values are few and known: no names of users or twins. */
export interface ControllerMetrics {
  registry: Registry;
  httpSeconds: Histogram<"method" | "route" | "status">;
  /** Webhook calls, by the answer: accepted, ignored (nothing to do, or seen before), refused, failed. */
  deliveries: Counter<"outcome">;
  /** From nudge to desired-state document, by outcome. */
  reconcileSeconds: Histogram<"outcome">;
  twins: Gauge<"phase">;
  queueJobs: Gauge<"queue" | "state">;
  resyncAgeSeconds: Gauge;
  openStreams: Gauge;
}

export function controllerMetrics(): ControllerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    httpSeconds: new Histogram({
      name: "dtaas_http_request_seconds",
      help: "Time to answer an HTTP request; streams are left out.",
      labelNames: ["method", "route", "status"],
      buckets: httpBuckets,
      registers,
    }),
    deliveries: new Counter({
      name: "dtaas_deliveries_total",
      help: "Webhook calls by their answer.",
      labelNames: ["outcome"],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: "dtaas_reconcile_seconds",
      help: "Time to bring one project's desired-state document up to its head.",
      labelNames: ["outcome"],
      buckets: reconcileBuckets,
      registers,
    }),
    twins: new Gauge({
      name: "dtaas_twins",
      help: "Digital twins by phase.",
      labelNames: ["phase"],
      registers,
    }),
    queueJobs: new Gauge({
      name: "dtaas_queue_jobs",
      help: "Jobs in Redis by queue and state.",
      labelNames: ["queue", "state"],
      registers,
    }),
    resyncAgeSeconds: new Gauge({
      name: "dtaas_resync_age_seconds",
      help: "Time since every project was looked at last; -1 before the first time.",
      registers,
    }),
    openStreams: new Gauge({
      name: "dtaas_http_streams",
      help: "Open log and event streams.",
      registers,
    }),
  };
}
