import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { applyStep } from "../git/merge-trees.ts";
import { branchHead } from "../git/refs.ts";
import { signatureOf, writeCommit } from "../git/write-commit.ts";
import { ApiError, badRequest, notFound } from "../http/api-error.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { checkMayPush } from "./commit-files.ts";
import { refsChanged } from "./refs-changed.ts";

export interface Pick {
  kind: "revert" | "cherry-pick";
  branch: string;
  /** Only find out whether it works. */
  dryRun?: boolean;
  message?: string;
}

/**
 * Makes a commit's change once more on a branch, or takes it back there; of a merge that is what it brought to its first parent.
 * `undefined` for a dry run that would work. Throws `ApiError` 400 with `error_code` `conflict` or `empty`, 403 or 404.
 */
export async function pickCommit(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  commit: GitCommit,
  pick: Pick,
): Promise<GitCommit | undefined> {
  const { git, objects, repositories } = context;
  checkMayPush(context, project, user, pick.branch);
  const gitDir = repositories.path(project.id);
  const made = await repositories.serially(project.id, async () => {
    const head = await branchHead(gitDir, pick.branch);
    const onto = head && (await objects.commit(gitDir, head));
    if (!head || !onto) throw notFound("Branch");
    const [parent] = commit.parents;
    const before = parent === undefined ? undefined : (await objects.commit(gitDir, parent))?.tree;
    const tree = await treeWith(context, gitDir, { commit, before, onto: onto.tree, kind: pick.kind });
    if (pick.dryRun) return undefined;
    const seconds = Math.floor(context.clock().getTime() / 1_000);
    const committer = { name: user.name, email: user.email, seconds, zone: "+0000" };
    const author = pick.kind === "cherry-pick" ? signatureOf(commit.author) : committer;
    const message = pick.message ?? defaultMessage(context, project, commit, pick.kind);
    const id = await writeCommit(git, gitDir, { tree, parents: [head], author, committer, message });
    const moved = await git.run(gitDir, ["update-ref", `refs/heads/${pick.branch}`, id, head]);
    if (moved.code !== 0)
      throw badRequest(`Could not update refs/heads/${pick.branch}. Please refresh and try again.`);
    return { id, head };
  });
  if (!made) return undefined;
  const changes = [{ ref: `refs/heads/${pick.branch}`, before: made.head, after: made.id }];
  await refsChanged(context, { project, user, changes, pushOptions: [] });
  return await objects.commit(gitDir, made.id);
}

async function treeWith(
  context: ForgeContext,
  gitDir: string,
  step: { commit: GitCommit; before: string | undefined; onto: string; kind: Pick["kind"] },
): Promise<string> {
  const { commit, before, onto, kind } = step;
  const emptied = before ?? (await context.git.text(gitDir, ["mktree"])).trim();
  const { tree } = await applyStep(
    context.git,
    gitDir,
    kind === "revert" ? { from: commit.tree, to: emptied, onto } : { from: before, to: commit.tree, onto },
  );
  if (tree === undefined) throw refusal(kind, "conflict");
  if (tree === onto) throw refusal(kind, "empty");
  return tree;
}

function refusal(kind: Pick["kind"], error_code: "conflict" | "empty"): ApiError {
  const already = kind === "revert" ? "been reverted" : "been cherry-picked";
  const message = `Sorry, we cannot ${kind} this commit automatically. This commit may already have ${already}, or a more recent commit may have updated some of its content.`;
  return new ApiError(400, { message, error_code });
}

function defaultMessage(
  context: ForgeContext,
  project: ProjectRecord,
  commit: GitCommit,
  kind: Pick["kind"],
): string {
  if (kind === "cherry-pick")
    return `${commit.message.trimEnd()}\n\n(cherry picked from commit ${commit.id})`;
  const merged = context.store.mergeRequestsByProject
    .all(String(project.id))
    .find((each) => each.mergeCommit === commit.id);
  const what = merged ? `merge request !${merged.iid}` : `commit ${commit.id}`;
  return `Revert "${commit.message.split("\n", 1)[0] ?? ""}"\n\nThis reverts ${what}`;
}
