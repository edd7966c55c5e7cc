import type { Router } from "express";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { countTwins } from "../reading/twin-counts.ts";
import type { AppDeps } from "./app-deps.ts";
import { dataFolderWritable, forgeReachable, readiness } from "./readiness.ts";

type ProbeDeps = Pick<
  AppDeps,
  "data" | "forge" | "group" | "pingRedis" | "metrics" | "queueLengths" | "lastResync"
> & {
  documents: StoredDocuments;
};

/** What machines ask, without a token: `/healthz`, `/readyz`, `/metrics`. They name no user and no twin. */
export function addProbeRoutes(router: Router, deps: ProbeDeps): void {
  const look = readiness({
    redis: deps.pingRedis,
    forge: forgeReachable(deps.forge, deps.group),
    data: dataFolderWritable(deps.data),
  });
  router.get("/healthz", (_request, response) => {
    response.json({ alive: true });
  });
  router.get("/readyz", async (_request, response) => {
    const state = await look();
    response.status(state.ready ? 200 : 503).json(state);
  });
  router.get("/metrics", async (_request, response) => {
    await measure(deps);
    const { registry } = deps.metrics;
    response.type(registry.contentType).send(await registry.metrics());
  });
}

async function measure(deps: ProbeDeps): Promise<void> {
  const { metrics } = deps;
  const counts = await countTwins(deps.documents, await deps.documents.users());
  metrics.twins.reset();
  for (const [phase, count] of Object.entries(counts)) metrics.twins.set({ phase }, count);
  const queues = await withDeadline(deps.queueLengths(), {});
  metrics.queueJobs.reset();
  for (const [queue, lengths] of Object.entries(queues)) {
    for (const [state, count] of Object.entries(lengths)) metrics.queueJobs.set({ queue, state }, count);
  }
  const at = deps.lastResync();
  metrics.resyncAgeSeconds.set(at ? (Date.now() - at.getTime()) / 1_000 : -1);
}

const queueDeadlineMs = 2_000; // a Redis that is away must not hide the other figures

async function withDeadline<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), queueDeadlineMs);
  });
  try {
    return await Promise.race([answer.catch(() => otherwise), late]);
  } finally {
    clearTimeout(timer);
  }
}
