import type { ForgeProject } from "./forge.ts";

/**
 * Merge requests of a Git host in our words. A missing thing is `undefined`; other faults are those of `Forge`. What we write
 * is written under the platform's own account, unless a token is given.
 */
export interface ForgeMergeRequests {
  /** Open ones, oldest first, of all projects of a group or of one project. */
  listOpen(of: { group: string } | { project: string }): Promise<MergeRequest[]>;
  show(project: ForgeProject, iid: number): Promise<MergeRequest | undefined>;
  /**
   * The commit that merging would make now, fetched as `refs/merge-requests/<iid>/merge`; `undefined` where it conflicts
   * with its target, or is not open.
   */
  mergeResult(project: ForgeProject, iid: number): Promise<string | undefined>;
  /** What it changes, for threads on lines. */
  diff(project: ForgeProject, iid: number): Promise<MergeRequestDiff>;
  /** Everything that was said, oldest first; notes that the host makes by itself are left out. */
  discussions(project: ForgeProject, iid: number): Promise<Discussion[]>;
  /**
   * Says something: on its own, which is no thread and waits for nobody; as a thread on a line of the diff; or in answer. Its id;
   * `undefined` where the host does not take the line.
   */
  say(project: ForgeProject, iid: number, note: NewNote): Promise<number | undefined>;
  /** Replaces the text of a note of our own. */
  edit(project: ForgeProject, iid: number, edit: NoteEdit): Promise<void>;
  /** Marks a thread as resolved, or open again. */
  resolve(
    project: ForgeProject,
    iid: number,
    thread: { discussion: string; resolved: boolean },
  ): Promise<void>;
  /**
   * Proposes a branch for the default branch, with the caller's own token and rights; one that is open already is the
   * answer. `ActionNeededError("MERGE_REQUEST_REFUSED")` for what the host does not take.
   */
  create(project: ForgeProject, wish: NewMergeRequest): Promise<MergeRequest>;
}

export interface MergeRequest {
  /** Of the project that it wants to change. */
  projectId: number;
  iid: number;
  title: string;
  state: "open" | "merged" | "closed";
  sourceBranch: string;
  targetBranch: string;
  /** It comes from another project. */
  fromFork: boolean;
  /** Newest commit of the source branch. */
  head: string;
  author: { id: number; username: string };
  /** Changes whenever anything of it changes, what is said included. */
  updatedAt: string;
  webUrl: string;
}

export interface MergeRequestDiff {
  /** The state that lines are counted in; given back with a new thread. */
  version: DiffVersion;
  /** When the host took note of the newest commit. */
  since: string;
  files: readonly ChangedFile[];
}

export interface DiffVersion {
  base: string;
  start: string;
  head: string;
}

export interface ChangedFile {
  oldPath: string;
  newPath: string;
  /** Lines of the new text that the diff shows, with their number in the old one; `undefined` for an added line. */
  lines: ReadonlyMap<number, number | undefined>;
}

export interface Discussion {
  id: string;
  /** Notes that can be resolved. */
  isThread: boolean;
  isResolved: boolean;
  /** It was the platform's account that resolved it last. */
  resolvedByUs: boolean;
  notes: readonly Note[];
}

export interface Note {
  id: number;
  body: string;
  author: { id: number; username: string };
  /** Written by the platform's own account. */
  isOurs: boolean;
  createdAt: string;
  updatedAt: string;
}

export interface NewNote {
  body: string;
  /** On a line of the new text. */
  at?: { version: DiffVersion; oldPath: string; newPath: string; line: number; oldLine: number | undefined };
  /** In answer, in this discussion. */
  discussion?: string;
}

export interface NoteEdit {
  discussion: string;
  note: number;
  body: string;
}

export interface NewMergeRequest {
  token: string;
  sourceBranch: string;
  title: string;
  description: string;
}
