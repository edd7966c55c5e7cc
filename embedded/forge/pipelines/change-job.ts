import { noteDeployment } from "../environments/note-deployment.ts";
import type { ForgeContext } from "../forge-context.ts";
import { announceJob } from "./announce.ts";
import type { CiJob } from "./ci-records.ts";

/** Changes a job, and tells whoever wants to know when its status is another one. Only within `serially`. */
export async function changeJob(
  context: ForgeContext,
  jobId: number,
  change: Partial<Omit<CiJob, "id">>,
): Promise<CiJob> {
  const { jobs } = context.ci.store;
  const before = jobs.get(jobId)?.status;
  const job = await jobs.update(jobId, change);
  if (job.status === before) return job;
  await noteDeployment(context, job);
  announceJob(context, job);
  return job;
}
