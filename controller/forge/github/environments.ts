import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { DeploymentState, ForgeEnvironments, NewDeployment } from "../forge-pipelines.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing, undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

const stateOf = {
  running: "in_progress",
  succeeded: "success",
  failed: "failure",
  cancelled: "error",
} as const;
const maxActive = 100; // deployments looked at to make an environment inactive

/**
 * Environments of GitHub. An address belongs to a deployment's state there, so that of an environment is kept in memory until it is
 * deployed to; after a restart it is told with the next deployment.
 */
export function gitHubEnvironments(client: GitHubClient): ForgeEnvironments {
  const urls = new Map<string, string>();
  const keyOf = (project: ForgeProject, name: string) => `${project.id} ${name}`;
  const environmentOf = new Map<string, string>(); // of deployments made here
  return {
    ensure: async (project, { name, url }) => {
      const made = await orExplain(
        client.rest.repos.createOrUpdateEnvironment({ ...at(project), environment_name: name }),
      );
      urls.set(keyOf(project, name), url);
      return { id: made.data.id, name, url, isStopped: false };
    },
    stop: (project, name) => stop(client, project, name),
    deploy: async (project, wanted) => {
      const id = await deploy(client, project, wanted);
      environmentOf.set(keyOf(project, String(id)), wanted.environment);
      await tell(client, project, {
        id,
        state: wanted.state,
        url: urls.get(keyOf(project, wanted.environment)),
      });
      return { id };
    },
    setDeployment: async (project, id, state) => {
      const last = await lastStatus(client, project, id);
      if (last === undefined || (state === "running" && last.state !== "in_progress")) return;
      const name = environmentOf.get(keyOf(project, String(id)));
      const url = name === undefined ? undefined : urls.get(keyOf(project, name));
      await tell(client, project, { id, state, url: url ?? last.environment_url ?? undefined });
    },
  };
}

/** Without GitHub's checks and merges: the platform has run it already. */
async function deploy(
  client: GitHubClient,
  project: ForgeProject,
  { environment, commit }: NewDeployment,
): Promise<number> {
  const wanted = { ref: commit, environment, auto_merge: false, required_contexts: [] };
  const made = await orExplain(client.rest.repos.createDeployment({ ...at(project), ...wanted }));
  const { id } = made.data as { id?: number };
  if (id !== undefined) return id;
  throw new ActionNeededError("ENVIRONMENT_REFUSED", "GitHub has made no deployment");
}

/** Every deployment that is still shown as active becomes inactive. */
async function stop(client: GitHubClient, project: ForgeProject, name: string): Promise<void> {
  const asked = client.rest.repos.listDeployments({ ...at(project), environment: name, per_page: maxActive });
  for (const { id } of (await undefinedWhenMissing(asked))?.data ?? []) {
    if ((await lastStatus(client, project, id))?.state === "inactive") return; // older ones are, too
    await client.rest.repos.createDeploymentStatus({ ...at(project), deployment_id: id, state: "inactive" });
  }
}

async function lastStatus(client: GitHubClient, project: ForgeProject, id: number) {
  const asked = client.rest.repos.listDeploymentStatuses({ ...at(project), deployment_id: id, per_page: 1 });
  return (await undefinedWhenMissing(asked))?.data[0];
}

/** Those before it of the same environment become inactive by themselves. */
async function tell(
  client: GitHubClient,
  project: ForgeProject,
  { id, state, url }: { id: number; state: DeploymentState; url: string | undefined },
): Promise<void> {
  await orExplain(
    client.rest.repos.createDeploymentStatus({
      ...at(project),
      deployment_id: id,
      state: stateOf[state],
      auto_inactive: true,
      ...(url === undefined ? {} : { environment_url: url }),
    }),
  );
}

async function orExplain<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    const code = isMissing(error) ? "ENVIRONMENTS_UNAVAILABLE" : "ENVIRONMENT_REFUSED";
    throw new ActionNeededError(code, `GitHub refuses the environment: ${error.message}`, { cause: error });
  }
}
