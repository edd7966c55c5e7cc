import { ActionNeededError } from "#core/errors";
import type { CommitStatus, ForgeProject } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

const maxTextCharacters = 255; // GitLab refuses longer descriptions, names and target URLs
const states = new Set<string>(["pending", "running", "success", "failed", "canceled"]);

interface StatusReply {
  id: number;
  sha: string;
  ref: string;
  name: string;
  status: string;
  description?: string | null;
  target_url?: string | null;
}

/** Sets a status; one that says the same already, or has gone further, is left as it is. */
export async function setStatus(
  client: GitLabClient,
  project: ForgeProject,
  wanted: CommitStatus,
): Promise<void> {
  const { commit, ref, name, state, targetUrl } = wanted;
  try {
    await client.commits.editStatus(project.id, commit, state, {
      name,
      ref,
      description: shorten(wanted.description),
      ...(targetUrl !== undefined && targetUrl.length <= maxTextCharacters ? { targetUrl } : {}),
    });
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    if (error.status === 404) {
      throw new ActionNeededError("COMMIT_NOT_FOUND", `${project.path} has no commit ${commit}`, {
        cause: error,
      });
    }
    // GitLab knows no way from running back to pending, nor from a state to itself, and answers 400.
    if (error.status === 400 && (await isThere(client, project, wanted))) return;
    throw new ActionNeededError("STATUS_REFUSED", `GitLab refuses the commit status: ${error.message}`, {
      cause: error,
    });
  }
}

/** The newest status of each name on a commit; none for a commit that GitLab does not have. */
export async function listStatuses(
  client: GitLabClient,
  project: ForgeProject,
  commit: string,
): Promise<CommitStatus[]> {
  const options = { perPage: 100 } as Parameters<GitLabClient["commits"]["allStatuses"]>[2];
  const listed = await undefinedWhenMissing(client.commits.allStatuses(project.id, commit, options));
  const newest = new Map<string, StatusReply>();
  for (const status of (listed ?? []) as unknown as StatusReply[]) {
    const known = newest.get(status.name);
    if (states.has(status.status) && (known === undefined || known.id < status.id))
      newest.set(status.name, status);
  }
  return [...newest.values()].map((status) => ({
    commit: status.sha,
    ref: status.ref,
    name: status.name,
    state: status.status as CommitStatus["state"],
    description: status.description ?? "",
    ...(status.target_url ? { targetUrl: status.target_url } : {}),
  }));
}

async function isThere(client: GitLabClient, project: ForgeProject, wanted: CommitStatus): Promise<boolean> {
  const now = (await listStatuses(client, project, wanted.commit)).find(
    (status) => status.name === wanted.name,
  );
  return (
    now !== undefined &&
    (now.state === wanted.state || (now.state === "running" && wanted.state === "pending"))
  );
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= maxTextCharacters
    ? text
    : `${characters.slice(0, maxTextCharacters - 1).join("")}…`;
}
