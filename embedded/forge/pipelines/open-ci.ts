import { join } from "node:path";
import { messageOf } from "#core/errors";
import { OneAtATime } from "#core/one-at-a-time";
import { SerialByKey } from "#core/serial-by-key";
import type { ForgeContext } from "../forge-context.ts";
import { dispatchJob } from "../jobs/dispatch-job.ts";
import { JobExchange } from "../jobs/job-exchange.ts";
import { JobFiles } from "../jobs/job-files.ts";
import { takeOutcome } from "../jobs/take-outcome.ts";
import { Underway } from "../underway.ts";
import { advance, finishJob, tellBridge } from "./advance.ts";
import type { Ci } from "./ci.ts";
import { openCiStore } from "./ci-store.ts";
import { PipelineParser } from "./config/parse-pipeline.ts";
import { expireArtifacts, keepTime } from "./keep-time.ts";
import { startDownstream } from "./start-downstream.ts";
import { isComplete } from "./state/composite-status.ts";

const clockMs = 1_000; // how late a delayed job or a schedule may be
const expiryMs = 10 * 60_000;

export interface OpenCi {
  dataFolder: string;
  /** Where jobs are given to the runner; without it pipelines can be looked at and none can be made. */
  exchange: { jobs: string; runs: string } | undefined;
  context: () => ForgeContext;
}

export interface RunningCi {
  ci: Ci;
  /** Goes on with what was under way when the forge ended last. Call when the context is whole. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Pipelines with all that keeps them going. */
export async function openCi({ dataFolder, exchange, context }: OpenCi): Promise<RunningCi> {
  const serial = new SerialByKey();
  const underway = new Underway();
  let isClosed = false;
  const ci: Ci = {
    store: await openCiStore(join(dataFolder, "state")),
    parser: await PipelineParser.open(join(dataFolder, "ci-parsing")),
    exchange: exchange ? await JobExchange.open(exchange) : undefined,
    files: new JobFiles(join(dataFolder, "ci-jobs")),
    serially: (task) => serial.run("all", task),
    inBackground(what, task) {
      underway.run(task).catch((error: unknown) => {
        if (!isClosed) context().logger.error({ err: error }, what);
      });
    },
    dispatch: (jobId) => ci.inBackground("a job was not dispatched", () => dispatchJob(context(), jobId)),
    startDownstream: (jobId) =>
      ci.inBackground("no child pipeline was made", () => startDownstream(context(), jobId)),
  };
  const ticks = new OneAtATime(
    () => keepTime(context()),
    (error) =>
      context().logger.warn({ err: messageOf(error) }, "what is due in pipelines was not done; tried again"),
  );
  const timers: NodeJS.Timeout[] = [];
  return {
    ci,
    async start() {
      await resume(context());
      ci.exchange?.follow((jobId) =>
        ci.inBackground("what the runner says of a job was not taken", () => takeOutcome(context(), jobId)),
      );
      timers.push(setInterval(() => void ticks.ask(), clockMs));
      timers.push(
        setInterval(
          () => ci.inBackground("artifacts did not expire", () => expireArtifacts(context())),
          expiryMs,
        ),
      );
    },
    async close() {
      isClosed = true;
      for (const timer of timers) clearInterval(timer);
      ci.exchange?.close();
      ci.parser.close();
      await underway.settled();
      await ci.serially(async () => undefined);
    },
  };
}

/** Clears away half-made pipelines, gives jobs to the runner that had not got there, and looks what can go on. */
async function resume(context: ForgeContext): Promise<void> {
  const { ci } = context;
  const { store, exchange } = ci;
  for (const { id, pipelineId } of store.jobs.all()) {
    if (!store.pipelines.get(pipelineId)) await store.jobs.remove(id);
  }
  for (const { id, status, plan, downstreamId } of store.liveJobs.all("true")) {
    if (status === "pending" && plan.trigger) {
      // It may have made its pipeline and not got to note it.
      const child = store.pipelines.all().find(({ bridgeId }) => bridgeId === id);
      if (child && downstreamId === null)
        await store.jobs.update(id, { downstreamId: child.id, status: "running" });
      else if (!child) ci.startDownstream(id);
    } else if (!exchange && !plan.trigger) {
      await ci.serially(() => finishJob(context, id, { status: "failed", reason: "runner_system_failure" }));
    } else if (status === "pending" && !(await exchange?.has(id))) ci.dispatch(id);
    else if (status === "canceling") await exchange?.cancel(id);
  }
  for (const pipeline of store.pipelines.all()) {
    await ci.serially(async () => {
      if (!isComplete(pipeline.status)) await advance(context, pipeline.id);
      else if (pipeline.bridgeId !== null) await tellBridge(context, pipeline);
    });
  }
}
