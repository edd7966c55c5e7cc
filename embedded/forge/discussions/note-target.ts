import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { noteTarget } from "../merge-requests/system-note.ts";
import type { MergeRequestRecord, NoteRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

/** What notes stand at. */
export type NoteTarget = { project: ProjectRecord } & (
  | { kind: "MergeRequest"; mergeRequest: MergeRequestRecord }
  | { kind: "Commit"; commit: GitCommit }
);

/** The key its notes are kept under. */
export function targetKey(target: NoteTarget): string {
  return target.kind === "MergeRequest"
    ? noteTarget(target.mergeRequest)
    : `commit:${target.project.id}:${target.commit.id}`;
}

/** The notes this user may see, the oldest first: internal ones are for Reporters. */
export function notesOf(
  context: ForgeContext,
  target: NoteTarget,
  user: UserRecord | undefined,
): NoteRecord[] {
  const { store, clock } = context;
  const seesAll = projectLevel(store, user, target.project, clock()) >= accessLevels.reporter;
  return store.notesByTarget.all(targetKey(target)).filter((note) => seesAll || !note.internal);
}
