import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { ForgeMergeRequests, MergeRequest, NewMergeRequest } from "../forge-merge-requests.ts";
import type { GitLabClient } from "./client.ts";
import { readDiff } from "./diff-lines.ts";
import { editNote, listDiscussions, resolveThread, sayNote } from "./discussions.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";
import { findProject } from "./projects.ts";
import { currentUser } from "./users.ts";

interface MergeRequestReply {
  project_id: number;
  iid: number;
  title: string;
  state: string;
  source_branch: string;
  target_branch: string;
  source_project_id: number | null;
  target_project_id: number;
  sha: string | null;
  author: { id: number; username: string };
  updated_at: string;
  web_url: string;
}

/** Merge requests of GitLab; see `ForgeMergeRequests`. */
export function gitLabMergeRequests(
  own: GitLabClient,
  clientOf: (token: string) => GitLabClient,
): ForgeMergeRequests {
  let us: Promise<number> | undefined;
  const whoWeAre = async () => {
    us ??= ownId(own);
    return await us.catch((error: unknown) => {
      us = undefined; // asked again next time
      throw error;
    });
  };
  return {
    listOpen: (of) => listOpen(own, of),
    show: (project, iid) => show(own, project, iid),
    mergeResult: (project, iid) => mergeResult(own, project, iid),
    diff: (project, iid) => readDiff(own, project, iid),
    discussions: async (project, iid) => await listDiscussions(own, project, iid, await whoWeAre()),
    say: (project, iid, note) => sayNote(own, project, iid, note),
    edit: (project, iid, edit) => editNote(own, project, iid, edit),
    resolve: (project, iid, thread) => resolveThread(own, project, iid, thread),
    create: (project, { token, ...wish }) => create(clientOf(token), project, wish),
  };
}

async function ownId(client: GitLabClient): Promise<number> {
  const user = await currentUser(client);
  if (user) return user.id;
  throw new ActionNeededError("FORGE_TOKEN_REFUSED", "GitLab does not say whose the platform's token is", {
    hint: "Make a new access token with scope api.",
  });
}

async function listOpen(
  client: GitLabClient,
  of: { group: string } | { project: string },
): Promise<MergeRequest[]> {
  const where = "group" in of ? { groupId: of.group } : { projectId: of.project };
  const order = { state: "opened", scope: "all", orderBy: "created_at", sort: "asc", perPage: 100 };
  const asked = client.mergeRequests.all({ ...where, ...order } as unknown as { projectId: string });
  const listed = await undefinedWhenMissing(asked);
  return ((listed ?? []) as unknown as MergeRequestReply[]).flatMap((reply) => toMergeRequest(reply) ?? []);
}

async function show(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
): Promise<MergeRequest | undefined> {
  const found = await undefinedWhenMissing(client.mergeRequests.show(project.id, iid));
  return found && toMergeRequest(found as unknown as MergeRequestReply);
}

/** GitLab makes `refs/merge-requests/:iid/merge` when it is asked for it, and answers 400 where there is none to make. */
async function mergeResult(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
): Promise<string | undefined> {
  try {
    // gitbeaker's own call for it sends a PUT, which GitLab does not know.
    const path = `projects/${project.id}/merge_requests/${iid}/merge_ref`;
    const { body } = await client.mergeRequests.requester.get(path);
    return (body as { commit_id?: string }).commit_id;
  } catch (error) {
    if (error instanceof GitLabAnswer && [400, 404].includes(error.status)) return undefined;
    throw error;
  }
}

async function create(
  client: GitLabClient,
  project: ForgeProject,
  wish: Omit<NewMergeRequest, "token">,
): Promise<MergeRequest> {
  const { sourceBranch, title, description } = wish;
  const target = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch ?? "main";
  try {
    const made = await client.mergeRequests.create(project.id, sourceBranch, target, title, {
      description,
      removeSourceBranch: true,
    });
    const shown = toMergeRequest(made as unknown as MergeRequestReply);
    if (shown) return shown;
    throw new ActionNeededError("FORGE_ANSWER_ODD", "GitLab has made a merge request without a commit");
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    const open = error.status === 409 ? await findOpen(client, project, sourceBranch) : undefined;
    if (open) return open;
    throw new ActionNeededError(
      "MERGE_REQUEST_REFUSED",
      `GitLab refuses the merge request: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

async function findOpen(
  client: GitLabClient,
  { path }: ForgeProject,
  sourceBranch: string,
): Promise<MergeRequest | undefined> {
  const open = await listOpen(client, { project: path });
  return open.find((one) => one.sourceBranch === sourceBranch && !one.fromFork);
}

/** `undefined` for one without commits: its fork is gone, or it was made a moment ago. */
function toMergeRequest(reply: MergeRequestReply): MergeRequest | undefined {
  const { sha } = reply;
  if (sha === null || sha === "") return undefined;
  const isOpen = reply.state === "opened" || reply.state === "locked"; // locked: it is being merged
  return {
    projectId: reply.target_project_id ?? reply.project_id,
    iid: reply.iid,
    title: reply.title,
    state: isOpen ? "open" : reply.state === "merged" ? "merged" : "closed",
    sourceBranch: reply.source_branch,
    targetBranch: reply.target_branch,
    fromFork: reply.source_project_id !== reply.target_project_id,
    head: sha,
    author: { id: reply.author.id, username: reply.author.username },
    updatedAt: reply.updated_at,
    webUrl: reply.web_url,
  };
}
