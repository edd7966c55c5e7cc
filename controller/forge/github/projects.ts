import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing, undefinedWhenMissing } from "./errors.ts";

interface RepositoryReply {
  id: number;
  full_name: string;
  html_url: string;
  /** Named even where there is no such branch yet. */
  default_branch?: string | undefined;
  /** KiB; 0 for an empty repository, and for a very small one. */
  size?: number | undefined;
  archived?: boolean | undefined;
  private?: boolean | undefined;
  visibility?: string | undefined;
}

/** The two names in GitHub's addresses; `undefined` for a path that cannot be a repository's there. */
export function repositoryOf(path: string): { owner: string; repo: string } | undefined {
  const [, owner, repo] = /^([^/]+)\/([^/]+)$/.exec(path) ?? [];
  return owner === undefined || repo === undefined ? undefined : { owner, repo };
}

/** The same of a project, which has been found by its path. */
export function at({ path }: Pick<ForgeProject, "path">): { owner: string; repo: string } {
  const [owner = "", repo = ""] = path.split("/");
  return { owner, repo };
}

/** Repositories of an organisation, archived ones and GitHub's own (`.github`) left out; `GROUP_NOT_FOUND` where there is none. */
export async function listProjects(client: GitHubClient, org: string): Promise<ForgeProject[]> {
  const asked = client.paginate(client.rest.repos.listForOrg, {
    org,
    type: "all",
    sort: "created",
    per_page: 100,
  });
  const listed = (await undefinedWhenMissing(asked)) as RepositoryReply[] | undefined;
  if (listed === undefined) {
    throw new ActionNeededError("GROUP_NOT_FOUND", `GitHub has no organisation ${org}`, {
      hint: "Make the organisation, or give the platform's account access to it.",
    });
  }
  const alive = listed.filter(({ archived, full_name: path }) => archived !== true && !path.includes("/."));
  return await Promise.all(alive.map((reply) => toProject(client, reply)));
}

/** A project by its full path. One that was renamed is not there: GitHub sends those who ask on to its new name. */
export async function findProject(client: GitHubClient, path: string): Promise<ForgeProject | undefined> {
  const found = await findRepository(client, path);
  return found && { ...(await toProject(client, found)), path };
}

/** Nobody but members sees it; one that is not there is seen by nobody. */
export async function isPrivate(client: GitHubClient, project: ForgeProject): Promise<boolean> {
  const found = await findRepository(client, project.path);
  return (
    found === undefined ||
    (found.visibility ?? (found.private === false ? "public" : "private")) === "private"
  );
}

async function findRepository(client: GitHubClient, path: string): Promise<RepositoryReply | undefined> {
  const names = repositoryOf(path);
  const found = names && (await undefinedWhenMissing(client.rest.repos.get(names)))?.data;
  return found?.full_name.toLowerCase() === path.toLowerCase() ? found : undefined;
}

/** Head of the default branch in one call; a second look only when the branch is not there any more. */
export async function findHead(client: GitHubClient, project: ForgeProject): Promise<string | undefined> {
  const known = project.defaultBranch;
  const head = known === undefined ? undefined : await branchHead(client, project, known);
  if (head !== undefined) return head;
  const now = (await findProject(client, project.path))?.defaultBranch;
  return now === undefined || now === known ? undefined : branchHead(client, project, now);
}

export async function branchHead(
  client: GitHubClient,
  project: Pick<ForgeProject, "path">,
  branch: string,
): Promise<string | undefined> {
  try {
    return (await client.rest.git.getRef({ ...at(project), ref: `heads/${branch}` })).data.object.sha;
  } catch (error) {
    // 409: an empty repository.
    if (isMissing(error) || (error instanceof GitHubAnswer && error.status === 409)) return undefined;
    throw error;
  }
}

async function toProject(client: GitHubClient, reply: RepositoryReply): Promise<ForgeProject> {
  const { id, full_name: path, html_url: webUrl, default_branch: branch } = reply;
  const mayBeEmpty = reply.size === undefined || reply.size === 0;
  const isThere = branch && (!mayBeEmpty || (await branchHead(client, { path }, branch)) !== undefined);
  return { id, path, defaultBranch: isThere ? branch : undefined, webUrl };
}
