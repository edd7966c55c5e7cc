import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { announcePush } from "../hooks/announce-push.ts";
import { followPush } from "../merge-requests/follow-push.ts";
import { createPushPipelines } from "../pipelines/push-pipelines.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { announceRepository } from "../system-hooks/announce-repository.ts";

export interface RefChange {
  ref: string;
  /** 40 zeros for a new ref. */
  before: string;
  /** 40 zeros for a removed one. */
  after: string;
}

export interface Push {
  project: ProjectRecord;
  user: UserRecord;
  changes: RefChange[];
  pushOptions: string[];
}

const heads = "refs/heads/";

/**
 * What follows when refs moved, be it by git push, by a commit through the API or by making a branch there: the
 * first branch of an empty project becomes its default, webhooks go out, merge requests follow, pipelines are made. Only the first is waited for.
 */
export async function refsChanged(context: ForgeContext, push: Push): Promise<void> {
  context.repositories.pushed(push.project.id);
  const project = await noteActivity(context, push.project, push.changes);
  if (!project) return;
  announcePush(context, { ...push, project });
  announceRepository(context, { ...push, project });
  followPush(context, { ...push, project });
  createPushPipelines(context, { ...push, project });
}

/** Keeps what a push means for the project itself; `undefined` when the project is gone by now. */
export async function noteActivity(
  context: ForgeContext,
  pushed: ProjectRecord,
  changes: readonly RefChange[],
): Promise<ProjectRecord | undefined> {
  const { store, git, repositories, clock } = context;
  const project = store.projects.get(pushed.id);
  if (!project) return undefined;
  const lastActivityAt = clock().toISOString();
  const born = changes
    .filter((change) => change.ref.startsWith(heads) && change.after !== zeroId)
    .map((change) => change.ref.slice(heads.length));
  const [first] = born;
  if (!project.empty || first === undefined) {
    // A lost note of activity harms nobody, so nobody waits for the disk.
    store.projects.update(project.id, { lastActivityAt }).catch((error: unknown) => {
      context.logger.warn({ err: error, project: project.id }, "the time of the last push was not kept");
    });
    return store.projects.get(project.id);
  }
  if (born.includes(project.defaultBranch)) {
    return await store.projects.update(project.id, { empty: false, lastActivityAt });
  }
  await git.text(repositories.path(project.id), ["symbolic-ref", "HEAD", `${heads}${first}`]);
  const protectedBranches = project.protectedBranches.map((branch) =>
    branch.name === project.defaultBranch ? { ...branch, name: first } : branch,
  );
  return await store.projects.update(project.id, {
    empty: false,
    defaultBranch: first,
    protectedBranches,
    lastActivityAt,
  });
}
