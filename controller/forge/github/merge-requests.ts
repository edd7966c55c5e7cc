import { ActionNeededError, TryLaterError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { ForgeMergeRequests, MergeRequest, NewMergeRequest } from "../forge-merge-requests.ts";
import type { GitHubClient } from "./client.ts";
import { readDiff, type SeenHeads } from "./diff-lines.ts";
import { editNote, listDiscussions, resolveThread, sayNote } from "./discussions.ts";
import { GitHubAnswer, isMissing, undefinedWhenMissing } from "./errors.ts";
import { at, findProject } from "./projects.ts";
import { listOpen, showPullRequest } from "./pull-requests.ts";
import { currentUser } from "./users.ts";

const mergeRetryMs = 3_000; // GitHub makes the merge commit in the background, within seconds

/** Pull requests of GitHub; see `ForgeMergeRequests`. */
export function gitHubMergeRequests(
  own: GitHubClient,
  clientOf: (token: string) => GitHubClient,
): ForgeMergeRequests {
  const seen: SeenHeads = new Map();
  let us: Promise<string> | undefined;
  const ownName = async () => {
    us ??= nameOf(own);
    return await us.catch((error: unknown) => {
      us = undefined; // asked again next time
      throw error;
    });
  };
  return {
    listOpen: (of) => listOpen(own, of),
    show: (project, iid) => showPullRequest(own, project, iid),
    mergeResult: (project, iid) => mergeResult(own, project, iid),
    diff: (project, iid) => readDiff(own, project, iid, seen),
    discussions: async (project, iid) => await listDiscussions(own, project, iid, await ownName()),
    say: (project, iid, note) => sayNote(own, project, iid, note),
    edit: (project, _iid, edit) => editNote(own, project, edit),
    resolve: (_project, _iid, thread) => resolveThread(own, thread),
    create: (project, { token, ...wish }) => create(clientOf(token), project, wish),
  };
}

async function nameOf(client: GitHubClient): Promise<string> {
  const user = await currentUser(client);
  if (user) return user.username;
  throw new ActionNeededError("FORGE_TOKEN_REFUSED", "GitHub does not say whose the platform's token is", {
    hint: "Make an access token of an account; docs/github.md names its permissions.",
  });
}

/** `TryLaterError` while GitHub has not found out yet. */
async function mergeResult(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
): Promise<string | undefined> {
  const asked = client.rest.pulls.get({ ...at(project), pull_number: number });
  const pull = (await undefinedWhenMissing(asked))?.data;
  if (pull?.state !== "open") return undefined;
  if (pull.mergeable === null) {
    throw new TryLaterError("GitHub is still finding out what merging would make", {
      retryAfterMs: mergeRetryMs,
    });
  }
  return pull.mergeable ? (pull.merge_commit_sha ?? undefined) : undefined;
}

async function create(
  client: GitHubClient,
  project: ForgeProject,
  { sourceBranch: head, title, description: body }: Omit<NewMergeRequest, "token">,
): Promise<MergeRequest> {
  const base = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch ?? "main";
  try {
    const made = await client.rest.pulls.create({ ...at(project), head, base, title, body });
    const shown = await showPullRequest(client, project, made.data.number);
    if (shown) return shown;
    throw new ActionNeededError("FORGE_ANSWER_ODD", "GitHub does not show the pull request that it has made");
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    const there = isMissing(error) ? [] : await listOpen(client, { project: project.path });
    const open = there.find((one) => one.sourceBranch === head && !one.fromFork);
    if (open) return open;
    throw new ActionNeededError(
      "MERGE_REQUEST_REFUSED",
      `GitHub refuses the pull request: ${error.message}`,
      { cause: error },
    );
  }
}
