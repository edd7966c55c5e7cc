import { ActionNeededError } from "#core/errors";
import type { CommitStatus, ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

const maxCharacters = 140; // GitHub refuses longer descriptions

type GitHubState = "error" | "failure" | "pending" | "success";

const toGitHub = {
  pending: "pending",
  running: "pending",
  success: "success",
  failed: "failure",
  canceled: "error",
} as const satisfies Record<CommitStatus["state"], GitHubState>;

const fromGitHub: Record<string, CommitStatus["state"]> = {
  pending: "pending",
  success: "success",
  failure: "failed",
  error: "canceled",
};

/** Sets a status. GitHub knows no way from one state to another that it would refuse. */
export async function setStatus(
  client: GitHubClient,
  project: ForgeProject,
  wanted: CommitStatus,
): Promise<void> {
  const { commit, name, state, targetUrl } = wanted;
  try {
    await client.rest.repos.createCommitStatus({
      ...at(project),
      sha: commit,
      context: name,
      state: toGitHub[state],
      description: shorten(wanted.description),
      ...(targetUrl === undefined ? {} : { target_url: targetUrl }),
    });
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    if (!(await hasCommit(client, project, commit))) {
      throw new ActionNeededError("COMMIT_NOT_FOUND", `${project.path} has no commit ${commit}`, {
        cause: error,
      });
    }
    throw new ActionNeededError("STATUS_REFUSED", `GitHub refuses the commit status: ${error.message}`, {
      cause: error,
    });
  }
}

/** The newest status of each name on a commit. GitHub keeps no branch with it: `ref` is the default one's name. */
export async function listStatuses(
  client: GitHubClient,
  project: ForgeProject,
  commit: string,
): Promise<CommitStatus[]> {
  const found: CommitStatus[] = [];
  for (let page = 1; ; page += 1) {
    const asked = client.rest.repos.getCombinedStatusForRef({
      ...at(project),
      ref: commit,
      per_page: 100,
      page,
    });
    const answer = await undefinedWhenRefused(asked);
    const statuses = answer?.data.statuses ?? [];
    for (const { context, state, description, target_url: targetUrl } of statuses) {
      const ours = fromGitHub[state];
      if (ours === undefined) continue;
      found.push({
        ...{ commit, ref: project.defaultBranch ?? "", name: context, state: ours },
        description: description ?? "",
        ...(targetUrl ? { targetUrl } : {}),
      });
    }
    if (statuses.length < 100) return found;
  }
}

async function hasCommit(client: GitHubClient, project: ForgeProject, commit: string): Promise<boolean> {
  const asked = client.rest.git.getCommit({ ...at(project), commit_sha: commit });
  return (await undefinedWhenRefused(asked)) !== undefined;
}

/** A commit that is not there is 404 to some questions and 422 to others; an empty repository is 409. */
async function undefinedWhenRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await undefinedWhenMissing(asked);
  } catch (error) {
    if (error instanceof GitHubAnswer && [409, 422].includes(error.status)) return undefined;
    throw error;
  }
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= maxCharacters ? text : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}
