import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, link, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline as streamed } from "node:stream/promises";
import { messageOf } from "#core/errors";
import type { CiJobDocument } from "#schemas/generated/ci-job";
import type { ForgeContext } from "../forge-context.ts";
import { finishJob } from "../pipelines/advance.ts";
import type { CiJob, CiPipeline } from "../pipelines/ci-records.ts";
import { newest } from "../pipelines/state/job-state.ts";
import { expandText } from "../pipelines/variables/expand.ts";
import { asTexts, type JobVariable, jobVariables } from "../pipelines/variables/job-variables.ts";
import type { ProjectRecord } from "../store/records.ts";
import { hashToken } from "../tokens/access-token.ts";
import { idTokenClaims } from "./id-tokens.ts";
import { sizeOf } from "./job-files.ts";

const defaultTimeoutMs = 3_600_000; // as in GitLab
const maxTimeoutMs = 24 * 3_600_000; // what a job may ask for
const sourceDeadlineMs = 10 * 60_000;
const maxSourceBytes = 1024 * 1024 * 1024;
const maxDocumentBytes = 8 * 1024 * 1024; // variables and scripts together

/** What is wrong with a job before it could run, in a sentence for its trace. */
class JobRefused extends Error {
  override readonly name = "JobRefused";
}

/** Gives a pending job to the runner, with its files. One that cannot be given fails and says why in its trace. */
export async function dispatchJob(context: ForgeContext, jobId: number): Promise<void> {
  const { exchange, store, files } = context.ci;
  if (!exchange) return;
  try {
    const document = await prepare(context, jobId);
    if (!document) return;
    await context.ci.serially(async () => {
      // Somebody may have ended it while its files were put together.
      if (store.jobs.get(jobId)?.status === "pending") await exchange.put(document);
      else await exchange.remove(jobId);
    });
  } catch (error) {
    if (!(error instanceof JobRefused)) {
      context.logger.error({ job: jobId, err: error }, "a job could not be given to the runner");
    }
    await exchange.remove(jobId);
    await files.writeTrace(jobId, `ERROR: Job failed (system failure): ${messageOf(error)}\n`);
    await context.ci.serially(() =>
      finishJob(context, jobId, { status: "failed", reason: "runner_system_failure" }),
    );
  }
}

async function prepare(context: ForgeContext, jobId: number): Promise<CiJobDocument | undefined> {
  const { store, exchange } = context.ci;
  const job = store.jobs.get(jobId);
  const pipeline = job && store.pipelines.get(job.pipelineId);
  const project = job && context.store.projects.get(job.projectId);
  const user = job && context.store.users.get(job.userId);
  if (!job || !pipeline || !project || !exchange || job.status !== "pending") return undefined;
  if (user?.state !== "active")
    throw new JobRefused("whoever started it is not here any more, or is blocked");
  const commit = await context.objects.commit(context.repositories.path(project.id), pipeline.sha);
  if (!commit) throw new JobRefused(`the commit ${pipeline.sha} is not there any more`);
  const timeoutMs = Math.min(job.plan.timeoutMs ?? defaultTimeoutMs, maxTimeoutMs);
  const givers = artifactGivers(context, job);
  const dotenv = Object.assign({}, ...givers.map((each) => each.dotenv)) as Record<string, string>;
  const around = { project, user, commit, pipeline };
  const variables = jobVariables(context, { around, job, dotenv, timeoutMs });
  const texts = asTexts(variables, project);
  const tokens = await tokensOf(context, { project, pipeline, job, texts, timeoutMs });
  const folder = await exchange.folder(jobId);
  const hasSource = texts["GIT_STRATEGY"] !== "none" && texts["GIT_STRATEGY"] !== "empty";
  if (hasSource) await writeSource(context, project, pipeline, folder);
  const inputs = await writeInputs(context, givers, folder);
  const image = job.plan.image === null ? "" : expandText(job.plan.image, texts);
  const expand = (patterns: readonly string[]) => patterns.map((pattern) => expandText(pattern, texts));
  const { artifacts } = job.plan;
  const all = new Map([...variables, ...tokens].map((each) => [each.key, each]));
  const document: CiJobDocument = {
    version: 1,
    id: jobId,
    user: user.username,
    project: project.fullPath,
    pipelineId: pipeline.id,
    name: job.plan.name,
    ...(image === "" ? {} : { image }),
    script: [...job.plan.beforeScript, ...job.plan.script],
    afterScript: job.plan.afterScript,
    variables: [...all.values()]
      .filter(({ key }) => /^[A-Za-z_]\w*$/.test(key))
      .map(({ key, value, file, masked }) => ({ key, value: value.replaceAll("\0", ""), file, masked })),
    timeoutMs: Math.max(1_000, Math.round(timeoutMs)),
    hasSource,
    inputs,
    ...(artifacts === null
      ? {}
      : {
          artifacts: {
            paths: expand(artifacts.paths),
            exclude: expand(artifacts.exclude),
            when: artifacts.when,
            dotenv: expand(artifacts.dotenv),
          },
        }),
  };
  if (JSON.stringify(document).length > maxDocumentBytes) {
    throw new JobRefused(`its variables and scripts are larger than ${maxDocumentBytes / 1024 ** 2} MiB`);
  }
  return document;
}

/** Jobs whose artifacts and dotenv variables this one gets, in their order. */
export function artifactGivers({ ci }: ForgeContext, job: CiJob): CiJob[] {
  const { needs, dependencies } = job.plan;
  const before = newest(ci.store.jobsByPipeline.all(String(job.pipelineId))).filter(
    ({ id }) => id !== job.id,
  );
  const wanted = (name: string) => dependencies === null || dependencies.includes(name);
  const givers =
    needs === null
      ? before.filter(({ stageIndex, plan }) => stageIndex < job.stageIndex && wanted(plan.name))
      : before.filter(
          ({ plan }) => needs.some((need) => need.job === plan.name && need.artifacts) && wanted(plan.name),
        );
  return givers.sort((a, b) => a.stageIndex - b.stageIndex || a.id - b.id);
}

async function tokensOf(
  context: ForgeContext,
  of: {
    project: ProjectRecord;
    pipeline: CiPipeline;
    job: CiJob;
    texts: Readonly<Record<string, string>>;
    timeoutMs: number;
  },
): Promise<JobVariable[]> {
  const { project, pipeline, job, texts, timeoutMs } = of;
  const user = context.store.users.get(job.userId);
  if (!user) return [];
  const secret = (key: string, value: string): JobVariable => ({
    key,
    value,
    file: false,
    masked: true,
    raw: true,
  });
  const token = `glcbt-${randomBytes(24).toString("base64url")}`;
  await context.ci.serially(async () => {
    if (context.ci.store.jobs.get(job.id))
      await context.ci.store.jobs.update(job.id, { tokenHash: hashToken(token) });
  });
  const made: JobVariable[] = [secret("CI_JOB_TOKEN", token)];
  for (const [key, audiences] of Object.entries(job.plan.idTokens)) {
    const aud = audiences.map((audience) => expandText(audience, texts));
    const [only = ""] = aud;
    const claims = idTokenClaims(context, { project, user, pipeline, job });
    const audience = aud.length > 1 ? aud : only;
    made.push(
      secret(key, await context.mintIdToken(claims, { audience, lifetimeS: Math.ceil(timeoutMs / 1_000) })),
    );
  }
  return made;
}

/** The commit's files as `git archive` packs them. */
async function writeSource(
  context: ForgeContext,
  project: ProjectRecord,
  { sha }: CiPipeline,
  folder: string,
): Promise<void> {
  const path = join(folder, "source.tar");
  const child = context.git.spawn(
    context.repositories.path(project.id),
    ["archive", "--format=tar", `${sha}^{tree}`],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const ended = new Promise<number>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("close", (code) => resolve(code ?? -1));
  });
  let bytes = 0;
  const out = child.stdout as Readable;
  out.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxSourceBytes) child.kill("SIGKILL");
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), sourceDeadlineMs);
  try {
    await streamed(out, createWriteStream(`${path}.part`, { mode: 0o600 }));
    const code = await ended;
    if (bytes > maxSourceBytes) {
      throw new JobRefused(`the repository's files are larger than ${maxSourceBytes / 1024 ** 2} MiB`);
    }
    if (code !== 0) throw new Error(`git archive ended with ${code}`);
    await rename(`${path}.part`, path);
  } finally {
    clearTimeout(deadline);
    child.kill("SIGKILL");
  }
}

async function writeInputs({ ci }: ForgeContext, givers: readonly CiJob[], folder: string): Promise<number> {
  let count = 0;
  for (const giver of givers) {
    if (giver.artifacts === null) continue;
    const from = ci.files.artifactsPath(giver.id);
    if ((await sizeOf(from)) === undefined) {
      throw new JobRefused(
        `the artifacts of the job ${giver.plan.name} are not there any more (missing_dependency_failure)`,
      );
    }
    const to = join(folder, `input-${count}.tar`);
    await link(from, to).catch(() => copyFile(from, to));
    count += 1;
  }
  return count;
}
