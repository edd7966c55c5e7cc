import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { undefinedWhenMissing } from "./errors.ts";

interface ProjectReply {
  id: number;
  path_with_namespace: string;
  default_branch?: string | null;
  web_url: string;
  visibility?: string;
  archived?: boolean;
  marked_for_deletion_on?: string | null;
}

/** Projects that lie directly in a group, archived and dying ones left out; `GROUP_NOT_FOUND` where there is none. */
export async function listProjects(client: GitLabClient, group: string): Promise<ForgeProject[]> {
  const listed = await undefinedWhenMissing(
    client.groups.allProjects(group, {
      perPage: 100,
      archived: false,
      simple: true,
      withShared: false,
      orderBy: "id",
      sort: "asc",
    } as Parameters<GitLabClient["groups"]["allProjects"]>[1]),
  );
  if (listed === undefined) {
    throw new ActionNeededError("GROUP_NOT_FOUND", `GitLab has no group ${group}`, {
      hint: "Make the group, or give the platform's account access to it.",
    });
  }
  return (listed as unknown as ProjectReply[]).filter(isAlive).map(toProject);
}

/** A project by its full path. */
export async function findProject(client: GitLabClient, path: string): Promise<ForgeProject | undefined> {
  const found = (await undefinedWhenMissing(client.projects.show(path))) as ProjectReply | undefined;
  return found === undefined || found.marked_for_deletion_on ? undefined : toProject(found);
}

/** Nobody but members sees it; one that is not there is seen by nobody. */
export async function isPrivate(client: GitLabClient, project: ForgeProject): Promise<boolean> {
  const found = (await undefinedWhenMissing(client.projects.show(project.id))) as ProjectReply | undefined;
  return found === undefined || found.visibility === "private";
}

/** Head of the default branch in one call; a second look only when the branch is not there any more. */
export async function findHead(client: GitLabClient, project: ForgeProject): Promise<string | undefined> {
  const known = project.defaultBranch;
  const head = known === undefined ? undefined : await branchHead(client, project.id, known);
  if (head !== undefined) return head;
  const now = (await findProject(client, project.path))?.defaultBranch;
  return now === undefined || now === known ? undefined : branchHead(client, project.id, now);
}

async function branchHead(
  client: GitLabClient,
  projectId: number,
  branch: string,
): Promise<string | undefined> {
  return (await undefinedWhenMissing(client.branches.show(projectId, branch)))?.commit.id;
}

function isAlive(project: ProjectReply): boolean {
  return project.archived !== true && !project.marked_for_deletion_on;
}

function toProject(reply: ProjectReply): ForgeProject {
  return {
    id: reply.id,
    path: reply.path_with_namespace,
    defaultBranch: reply.default_branch ?? undefined,
    webUrl: reply.web_url,
  };
}
