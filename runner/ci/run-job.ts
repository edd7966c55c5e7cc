import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError, messageOf } from "#core/errors";
import { valueRedactor } from "#core/redaction";
import type { CiJobDocument } from "#schemas/generated/ci-job";
import type { Resources } from "#schemas/twin-spec";
import { ciDoorPort, ciHostName } from "./ci-door.ts";
import { giveFiles } from "./job-files.ts";
import { jobImage } from "./job-image.ts";
import type { JobEnding, JobParts } from "./job-parts.ts";
import { ciFolder } from "./job-script.ts";
import { keepArtifacts, readDotenv } from "./keep-artifacts.ts";
import { TraceFile } from "./trace-file.ts";

const maxDiskBytes = 5 * 1024 ** 3; // files of the repository, and what the job writes beside them
const diskCheckMs = 5_000; // a job may pass its limit by what it writes in this time
const cancelGraceMs = 60_000; // for its script to end and `after_script` to run
const timeoutGraceMs = 10_000;
const logDrainMs = 10_000;

const resources: Resources = {
  cpus: Math.min(2, availableParallelism()),
  memoryBytes: 2 * 1024 ** 3,
  pids: 512,
};

export interface JobRun {
  job: CiJobDocument;
  startedAt: string;
  /** Aborted when somebody wants the job to end. */
  cancel: AbortSignal;
  /** Aborted when this process stops: the job goes on. */
  closing: AbortSignal;
  /** Its container, when an earlier process has started it. */
  containerId: string | undefined;
  /** Told when its container runs. */
  onStarted(containerId: string): Promise<void>;
}

/**
 * Runs a job in a container of its own to its end, writes its trace while it runs and keeps its artifacts. `undefined` when this process stops
 * in between: whoever comes next goes on. Does not throw for what goes wrong with one job.
 */
export async function runJob(parts: JobParts, run: JobRun): Promise<JobEnding | undefined> {
  const { job } = run;
  const masked = job.variables.filter((each) => each.masked).map(({ value }) => value);
  const trace = await TraceFile.open(
    join(parts.folders.runs, String(job.id), "trace"),
    valueRedactor(masked, "[MASKED]"),
  );
  const state = new Ended();
  try {
    const containerId = run.containerId ?? (await start(parts, run, trace));
    if (containerId === undefined) return { state: "canceled" };
    return await follow(parts, run, { containerId, trace, state });
  } catch (error) {
    if (run.closing.aborted) return undefined;
    if (run.cancel.aborted) return { state: "canceled" };
    const isRefusal = error instanceof ImageRefused;
    await trace.line(
      `\u001b[31;1mERROR: Job failed (${isRefusal ? "image" : "system failure"}): ${messageOf(error)}\u001b[0;m`,
    );
    if (!isRefusal)
      parts.logger.warn({ job: job.id, err: messageOf(error) }, "a job of a pipeline could not be run");
    return { state: "failed", failureReason: isRefusal ? "image_pull_failure" : "runner_system_failure" };
  } finally {
    await trace.close();
    if (!run.closing.aborted) await tidyUp(parts, job);
  }
}

class ImageRefused extends Error {}

/** Why a job was told to end. */
class Ended {
  why: "canceled" | "too late" | "too much" | undefined;
}

/** `undefined` where it was cancelled on the way. */
async function start(parts: JobParts, run: JobRun, trace: TraceFile): Promise<string | undefined> {
  const { containers, door, engine, folders } = parts;
  const { job } = run;
  const signal = AbortSignal.any([run.cancel, run.closing]);
  await trace.line(`Running with the runner of this platform, job ${job.id} of ${job.project}`);
  const imageId = await findImage(parts, job, trace, signal);
  if (run.cancel.aborted) return undefined;
  const network = await containers.network(job.user);
  await door.open(job.user, network.gateway);
  const lower = join(folders.runs, String(job.id), "lower");
  await mkdir(lower, { recursive: true });
  const layer = await engine.layers.ensure(layerOf(job), lower);
  const { id } = await containers.create({
    jobId: job.id,
    user: job.user,
    imageId,
    command: ["/bin/sh", `/builds/${ciFolder}/job`],
    resources,
    network: network.name,
    layer,
    hostNames: { [ciHostName]: network.gateway },
  });
  await trace.line("Getting the files of the commit and artifacts of earlier jobs");
  const given = new Set(job.variables.map(({ key }) => key));
  const url = given.has("DTAAS_URL") ? {} : { DTAAS_URL: `http://${ciHostName}:${ciDoorPort}` };
  const extra = { ...url, CI_JOB_STARTED_AT: run.startedAt, CI_JOB_STATUS: "running" };
  await giveFiles(containers, id, job, { folder: join(folders.jobs, String(job.id)), extra });
  if (signal.aborted) return undefined;
  await engine.containers.start(id);
  await run.onStarted(id);
  return id;
}

async function findImage(
  parts: JobParts,
  job: CiJobDocument,
  trace: TraceFile,
  signal: AbortSignal,
): Promise<string> {
  const image = jobImage(job.image, await parts.allowedImages());
  if (image.kind === "refused") throw new ImageRefused(image.why);
  if (image.kind === "template") {
    await trace.line(`Using the image of the template ${image.workspace.template}`);
    return (await parts.buildImage(image.workspace, signal)).id;
  }
  await trace.line(`Using the image ${image.name}`);
  const { workspaces } = parts.engine;
  const found = await workspaces?.findImage(image.name);
  if (found !== undefined) return found;
  if (!workspaces) throw new ImageRefused(`the image ${image.name} is not there`);
  try {
    return await workspaces.pull(image.name, signal);
  } catch (error) {
    if (error instanceof ActionNeededError) throw new ImageRefused(messageOf(error));
    throw error;
  }
}

interface Following {
  containerId: string;
  trace: TraceFile;
  state: Ended;
}

async function follow(parts: JobParts, run: JobRun, following: Following): Promise<JobEnding | undefined> {
  const { containers, door } = parts;
  const { job, closing } = run;
  const { containerId, trace, state } = following;
  const address = await containers.address(containerId);
  if (address !== undefined) door.admit(job.user, address);
  const over = new AbortController();
  const watching = watch(parts, run, following, AbortSignal.any([closing, over.signal]));
  const logging = copyLog(parts, run, following, over.signal);
  try {
    const { exitCode, outOfMemory } = await containers.wait(containerId, closing);
    await Promise.race([logging, delay(logDrainMs)]);
    return await ending(parts, run, { trace, state, containerId, exitCode, outOfMemory });
  } catch (error) {
    if (closing.aborted) return undefined;
    throw error;
  } finally {
    over.abort();
    await Promise.all([watching, logging]);
    if (address !== undefined) door.expel(job.user, address);
  }
}

/** Ends the job when somebody wants it, when its time is over, or when it has written too much. */
async function watch(parts: JobParts, run: JobRun, following: Following, over: AbortSignal): Promise<void> {
  const { engine } = parts;
  const { job, cancel, startedAt } = run;
  const { state, containerId } = following;
  const deadline = Date.parse(startedAt) + job.timeoutMs;
  while (!over.aborted) {
    if (cancel.aborted) state.why = "canceled";
    else if (Date.now() >= deadline) state.why = "too late";
    else if ((await engine.layers.usage(layerOf(job)).catch(() => 0)) > maxDiskBytes) state.why = "too much";
    if (state.why !== undefined) {
      const graceMs = state.why === "canceled" ? cancelGraceMs : timeoutGraceMs;
      await engine.containers.stop(containerId, graceMs).catch((error: unknown) => {
        parts.logger.warn({ job: job.id, err: messageOf(error) }, "a job does not end; tried again");
      });
      await pause(1_000, over);
      continue;
    }
    const waitMs = Math.min(diskCheckMs, Math.max(0, deadline - Date.now()));
    await pause(waitMs, AbortSignal.any([over, cancel]));
  }
}

/** From the beginning or, after another process has copied some of it, from there: its lines are counted. */
async function copyLog(parts: JobParts, run: JobRun, following: Following, over: AbortSignal): Promise<void> {
  const { trace, containerId } = following;
  const since = run.containerId === undefined ? undefined : run.startedAt;
  const signal = AbortSignal.any([run.closing, over]);
  if (since !== undefined) await trace.line("(the runner was started anew: some lines may be told twice)");
  try {
    for await (const { text } of parts.engine.containers.logs(containerId, { follow: true, signal })) {
      await trace.line(text);
    }
  } catch (error) {
    if (!signal.aborted)
      parts.logger.warn({ job: run.job.id, err: messageOf(error) }, "the log of a job broke off");
  }
}

interface HowEnded extends Following {
  exitCode: number;
  outOfMemory: boolean;
}

async function ending(parts: JobParts, run: JobRun, how: HowEnded): Promise<JobEnding> {
  const { job } = run;
  const { state, exitCode, outOfMemory, trace, containerId } = how;
  const isGood = exitCode === 0 && state.why === undefined;
  if (state.why === "canceled") {
    await trace.line("\u001b[31;1mERROR: Job failed: canceled\u001b[0;m");
    return { state: "canceled", exitCode };
  }
  const kept = await keep(parts, job, { trace, containerId, isGood });
  if (isGood) {
    await trace.line("\u001b[32;1mJob succeeded\u001b[0;m");
    return { state: "success", exitCode, ...kept };
  }
  const why = {
    "too late": `execution took longer than ${Math.round(job.timeoutMs / 1_000)}s seconds`,
    "too much": `it has written more than ${maxDiskBytes / 1024 ** 3} GiB`,
    code: outOfMemory
      ? `it needed more than ${resources.memoryBytes / 1024 ** 2} MiB of memory`
      : `exit code ${exitCode}`,
  }[state.why ?? "code"];
  await trace.line(`\u001b[31;1mERROR: Job failed: ${why}\u001b[0;m`);
  const failureReason = state.why === "too late" ? "job_execution_timeout" : "script_failure";
  return { state: "failed", failureReason, exitCode, ...kept };
}

async function keep(
  parts: JobParts,
  job: CiJobDocument,
  { trace, containerId, isGood }: { trace: TraceFile; containerId: string; isGood: boolean },
): Promise<Pick<JobEnding, "artifactBytes" | "dotenv">> {
  const { artifacts, project } = job;
  const wanted = artifacts && (artifacts.when === "always" || (artifacts.when === "on_success") === isGood);
  if (!artifacts || !wanted) return {};
  const { containers, folders } = parts;
  const target = join(folders.runs, String(job.id), "artifacts.tar");
  const told: Pick<JobEnding, "artifactBytes" | "dotenv"> = {};
  if (artifacts.paths.length > 0) {
    await trace.line("Uploading artifacts");
    const kept = await keepArtifacts(containers, containerId, { project, ...artifacts }, target);
    for (const remark of kept.remarks) await trace.line(`\u001b[0;33mWARNING: ${remark}\u001b[0;m`);
    await trace.line(`${kept.files} files`);
    if (kept.bytes !== undefined) told.artifactBytes = kept.bytes;
  }
  if (artifacts.dotenv.length > 0) {
    const { variables, remarks } = await readDotenv(containers, containerId, {
      project,
      paths: artifacts.dotenv,
    });
    for (const remark of remarks) await trace.line(`\u001b[0;33mWARNING: ${remark}\u001b[0;m`);
    told.dotenv = variables;
  }
  return told;
}

/** Nothing of a job is left but its outcome. Done again it does no harm. */
export async function tidyUp(parts: JobParts, job: Pick<CiJobDocument, "id">): Promise<void> {
  const { containers, engine, logger } = parts;
  try {
    const found = (await containers.list()).filter(({ jobId }) => jobId === job.id);
    for (const { id } of found) await engine.containers.remove(id);
    await engine.layers.remove(layerOf(job));
  } catch (error) {
    logger.warn(
      { job: job.id, err: messageOf(error) },
      "something of a job is left in the engine; tried again",
    );
  }
}

export function layerOf({ id }: Pick<CiJobDocument, "id">): string {
  return `job-${id}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
