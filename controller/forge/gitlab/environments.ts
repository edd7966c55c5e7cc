import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { DeploymentState, ForgeEnvironment, NewDeployment } from "../forge-pipelines.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

interface EnvironmentReply {
  id: number;
  name: string;
  external_url?: string | null;
  state: string;
}

const statusOf = {
  running: "running",
  succeeded: "success",
  failed: "failed",
  cancelled: "canceled",
} as const;

/** See `ForgeEnvironments.ensure`. A new deployment is what makes a stopped one available again. */
export async function ensureEnvironment(
  client: GitLabClient,
  project: ForgeProject,
  { name, url }: { name: string; url: string },
): Promise<ForgeEnvironment> {
  const found = await find(client, project, name);
  if (found === undefined) {
    const made = await orExplain(client.environments.create(project.id, name, { externalUrl: url }));
    return toEnvironment(made as unknown as EnvironmentReply);
  }
  if (found.external_url === url) return toEnvironment(found);
  const edited = await orExplain(client.environments.edit(project.id, found.id, { externalUrl: url }));
  return toEnvironment(edited as unknown as EnvironmentReply);
}

export async function stopEnvironment(
  client: GitLabClient,
  project: ForgeProject,
  name: string,
): Promise<void> {
  const found = await find(client, project, name);
  if (found === undefined || found.state === "stopped") return;
  // Forced: `on_stop` would run an operation, which is what has just ended.
  await undefinedWhenMissing(client.environments.stop(project.id, found.id, { force: true } as never));
}

export async function deploy(
  client: GitLabClient,
  project: ForgeProject,
  { environment, commit, ref, state }: NewDeployment,
): Promise<{ id: number }> {
  const made = await orExplain(
    client.deployments.create(project.id, environment, commit, ref, false, { status: statusOf[state] }),
  );
  return { id: (made as unknown as { id: number }).id };
}

export async function setDeployment(
  client: GitLabClient,
  project: ForgeProject,
  { id, state }: { id: number; state: DeploymentState },
): Promise<void> {
  try {
    await undefinedWhenMissing(client.deployments.edit(project.id, id, statusOf[state]));
  } catch (error) {
    if (!(error instanceof GitLabAnswer) || error.status !== 400) throw error; // 400: no way from its state to this one
  }
}

async function find(
  client: GitLabClient,
  project: ForgeProject,
  name: string,
): Promise<EnvironmentReply | undefined> {
  const listed = await orExplain(client.environments.all(project.id, { name, perPage: 100 } as never));
  return (listed as unknown as EnvironmentReply[]).find((one) => one.name === name);
}

/** A project that has environments switched off, or a host without them. */
async function orExplain<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    const code =
      error.status === 404 || error.status === 501 ? "ENVIRONMENTS_UNAVAILABLE" : "ENVIRONMENT_REFUSED";
    throw new ActionNeededError(code, `GitLab refuses the environment: ${error.message}`, { cause: error });
  }
}

function toEnvironment(reply: EnvironmentReply): ForgeEnvironment {
  return {
    id: reply.id,
    name: reply.name,
    url: reply.external_url ?? undefined,
    isStopped: reply.state === "stopped",
  };
}
