/** What the forge keeps on disk of merge requests and of what people say. Times are ISO 8601 in UTC. */

export type MergeRequestState = "opened" | "closed" | "merged" | "locked";

export interface MergeRequestRecord {
  readonly id: number;
  /** Counts up from 1 within the target project. */
  iid: number;
  /** The target project: a merge request belongs to it. */
  projectId: number;
  sourceProjectId: number;
  sourceBranch: string;
  targetBranch: string;
  title: string;
  description: string;
  state: MergeRequestState;
  authorId: number;
  assigneeIds: number[];
  reviewerIds: number[];
  labels: string[];
  squash: boolean;
  /** The source branch goes with the merge. */
  removeSourceBranch: boolean;
  createdAt: string;
  updatedAt: string;
  updatedById: number | null;
  closedAt: string | null;
  closedById: number | null;
  mergedAt: string | null;
  mergedById: number | null;
  mergeCommit: string | null;
  squashCommit: string | null;
  mergeError: string | null;
  /** Who approved, with the time, in their order. */
  approvals: { userId: number; at: string }[];
  /** What the last look at both branches found; `undefined` before the first. */
  checked?: MergeCheck;
}

/** Whether `head` can be merged into `target`; it holds for exactly these two commits. */
export interface MergeCheck {
  head: string;
  target: string;
  /** The commit at `refs/merge-requests/:iid/merge`; `null` where there are conflicts. */
  merge: string | null;
  conflicts: string[];
  /** The target's head is not among the source's ancestors. */
  isBehind: boolean;
}

/** One state of the source branch, made at creation and with every push. */
export interface MergeRequestVersionRecord {
  readonly id: number;
  mergeRequestId: number;
  head: string;
  /** Where source and target parted. */
  base: string;
  /** The target's head by then. */
  start: string;
  createdAt: string;
  /** Files changed, `"1000+"` for very many. */
  realSize: string;
  patchId: string | null;
}

export interface TextPosition {
  baseSha: string;
  startSha: string;
  headSha: string;
  oldPath: string;
  newPath: string;
  positionType: "text" | "file";
  /** Line before the change; `null` for one that was added. */
  oldLine: number | null;
  /** Line after the change; `null` for one that was removed. */
  newLine: number | null;
  lineRange: unknown;
}

export interface NoteRecord {
  readonly id: number;
  projectId: number;
  /** `mr:<id>` or `commit:<project id>:<commit>`: what the note stands at. */
  target: string;
  discussionId: string;
  /** `null` for a comment of its own, which is no thread. */
  type: "DiscussionNote" | "DiffNote" | null;
  body: string;
  authorId: number;
  createdAt: string;
  updatedAt: string;
  /** Written by the forge itself. */
  system: boolean;
  internal: boolean;
  position: TextPosition | null;
  resolvedById: number | null;
  resolvedAt: string | null;
}

/** A replacement of lines that a note offers. */
export interface SuggestionRecord {
  readonly id: number;
  noteId: number;
  fromLine: number;
  toLine: number;
  fromContent: string;
  toContent: string;
  /** The commit that took it over. */
  appliedIn: string | null;
}

export interface LabelRecord {
  readonly id: number;
  projectId: number;
  name: string;
  color: string;
  description: string | null;
}
