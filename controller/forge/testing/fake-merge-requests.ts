import { createHash } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type {
  ChangedFile,
  Discussion,
  ForgeMergeRequests,
  MergeRequest,
  NewMergeRequest,
  NewNote,
  Note,
  NoteEdit,
} from "../forge-merge-requests.ts";

interface Held {
  project: ForgeProject;
  shown: MergeRequest;
  mergeResult: string | undefined;
  files: ChangedFile[];
  headSince: string;
  discussions: Discussion[];
}

export interface StagedMergeRequest {
  project: ForgeProject;
  head: string;
  mergeResult?: string | undefined;
  files?: ChangedFile[];
  author?: { id: number; username: string };
  sourceBranch?: string;
  targetBranch?: string;
  fromFork?: boolean;
}

/** Merge requests in memory, with the contract of the real ones. `us` is the platform's account. */
export class FakeMergeRequests implements ForgeMergeRequests {
  readonly us = { id: 1, username: "dtaas-bot" };
  /** Every change that was written, as `say 12`, `edit 12`, `resolve ...`. */
  readonly written: string[] = [];
  /** `<project id> <branch>` that may be proposed without an open one. */
  readonly branches = new Set<string>();
  readonly #held = new Map<string, Held>();
  #lastId = 100;
  #clock = Date.parse("2026-01-01T00:00:00.000Z");

  /** Opens one as somebody on the host's pages does, and resolves with its number. */
  open(staged: StagedMergeRequest): number {
    const { project } = staged;
    const ofProject = [...this.#held.values()].filter((held) => held.project.id === project.id);
    const iid = ofProject.length + 1;
    this.#held.set(`${project.id}!${iid}`, {
      project,
      shown: {
        ...{ projectId: project.id, iid, title: "A change", state: "open" },
        sourceBranch: staged.sourceBranch ?? "change",
        targetBranch: staged.targetBranch ?? "main",
        fromFork: staged.fromFork ?? false,
        head: staged.head,
        author: staged.author ?? { id: 2, username: "user1" },
        updatedAt: this.#now(),
        webUrl: `${project.webUrl}/-/merge_requests/${iid}`,
      },
      mergeResult: staged.mergeResult,
      files: staged.files ?? [],
      headSince: this.#now(),
      discussions: [],
    });
    return iid;
  }

  /** As a push to the source branch, a merge or a close does. */
  change(
    project: ForgeProject,
    iid: number,
    to: Partial<Pick<MergeRequest, "head" | "state">> & Partial<Pick<Held, "mergeResult" | "files">>,
  ): void {
    const held = this.#find(project, iid);
    const { head, state, ...rest } = to;
    Object.assign(held, rest, head === undefined ? {} : { headSince: this.#now() });
    held.shown = {
      ...held.shown,
      ...(head === undefined ? {} : { head }),
      ...(state === undefined ? {} : { state }),
      updatedAt: this.#now(),
    };
  }

  /** Somebody else says something, on their own or in answer. */
  saidBy(
    author: { id: number; username: string },
    project: ForgeProject,
    iid: number,
    note: { body: string; discussion?: string; createdAt?: string; updatedAt?: string },
  ): Note {
    const held = this.#find(project, iid);
    const { createdAt = this.#now() } = note;
    const said: Note = {
      ...{ id: ++this.#lastId, body: note.body, author, isOurs: author.id === this.us.id },
      ...{ createdAt, updatedAt: note.updatedAt ?? createdAt },
    };
    this.#add(held, said, { discussion: note.discussion, isThread: false });
    return said;
  }

  /** Somebody else resolves a thread, or opens it again. */
  resolvedBySomebody(project: ForgeProject, iid: number, discussion: string, resolved = true): void {
    this.#replace(project, iid, discussion, { isResolved: resolved, resolvedByUs: false });
  }

  async listOpen(of: { group: string } | { project: string }): Promise<MergeRequest[]> {
    const isWanted = ({ path }: ForgeProject) =>
      "group" in of ? path.startsWith(`${of.group}/`) : path === of.project;
    return [...this.#held.values()]
      .filter(({ project, shown }) => isWanted(project) && shown.state === "open")
      .map(({ shown }) => shown);
  }

  async show(project: ForgeProject, iid: number): Promise<MergeRequest | undefined> {
    return this.#held.get(`${project.id}!${iid}`)?.shown;
  }

  async mergeResult(project: ForgeProject, iid: number): Promise<string | undefined> {
    const held = this.#find(project, iid);
    return held.shown.state === "open" ? held.mergeResult : undefined;
  }

  async diff(project: ForgeProject, iid: number) {
    const { shown, files, headSince } = this.#find(project, iid);
    return { version: { base: "b", start: "s", head: shown.head }, since: headSince, files };
  }

  async discussions(project: ForgeProject, iid: number): Promise<Discussion[]> {
    return structuredClone(this.#find(project, iid).discussions);
  }

  async say(project: ForgeProject, iid: number, note: NewNote) {
    const held = this.#find(project, iid);
    if (note.at) {
      const { newPath, line } = note.at;
      const file = held.files.find((changed) => changed.newPath === newPath);
      if (!file?.lines.has(line)) return undefined;
    }
    const now = this.#now();
    const id = ++this.#lastId;
    const said = { id, body: note.body, author: this.us, isOurs: true, createdAt: now, updatedAt: now };
    this.#add(held, said, {
      discussion: note.discussion,
      isThread: note.at !== undefined,
    });
    this.written.push(note.at ? `thread ${note.at.newPath}:${note.at.line}` : `say ${id}`);
    return id;
  }

  async edit(project: ForgeProject, iid: number, { discussion, note, body }: NoteEdit): Promise<void> {
    const held = this.#find(project, iid);
    const found = held.discussions.find(({ id }) => id === discussion);
    const before = found?.notes.find(({ id }) => id === note);
    if (!before?.isOurs) throw new ActionNeededError("NOTE_NOT_FOUND", "there is no such note of ours");
    const notes = (found?.notes ?? []).map((one) =>
      one.id === note ? { ...one, body, updatedAt: this.#now() } : one,
    );
    this.#replace(project, iid, discussion, { notes });
    this.written.push(`edit ${note}`);
  }

  async resolve(
    project: ForgeProject,
    iid: number,
    { discussion, resolved }: { discussion: string; resolved: boolean },
  ): Promise<void> {
    this.#replace(project, iid, discussion, { isResolved: resolved, resolvedByUs: resolved });
    this.written.push(resolved ? "resolve" : "reopen");
  }

  async create(project: ForgeProject, wish: NewMergeRequest): Promise<MergeRequest> {
    const { sourceBranch } = wish;
    const open = [...this.#held.values()].find(
      (held) =>
        held.project.id === project.id &&
        held.shown.state === "open" &&
        held.shown.sourceBranch === sourceBranch,
    );
    if (open) return open.shown;
    if (!this.branches.has(`${project.id} ${sourceBranch}`)) {
      throw new ActionNeededError("MERGE_REQUEST_REFUSED", `there is no branch ${sourceBranch}`);
    }
    const iid = this.open({ project, head: "f".repeat(40), sourceBranch });
    const held = this.#find(project, iid);
    held.shown = { ...held.shown, title: wish.title };
    return held.shown;
  }

  #add(held: Held, said: Note, where: { discussion: string | undefined; isThread: boolean }): string {
    held.shown = { ...held.shown, updatedAt: said.createdAt };
    const there = held.discussions.findIndex(({ id }) => id === where.discussion);
    const before = held.discussions[there];
    if (before) {
      held.discussions[there] = { ...before, isThread: true, notes: [...before.notes, said] };
      return before.id;
    }
    const id = createHash("sha1").update(String(said.id)).digest("hex");
    const { isThread } = where;
    held.discussions.push({ id, isThread, isResolved: false, resolvedByUs: false, notes: [said] });
    return id;
  }

  #replace(project: ForgeProject, iid: number, discussion: string, change: Partial<Discussion>): void {
    const held = this.#find(project, iid);
    held.discussions = held.discussions.map((one) => (one.id === discussion ? { ...one, ...change } : one));
    held.shown = { ...held.shown, updatedAt: this.#now() };
  }

  #find(project: ForgeProject, iid: number): Held {
    const held = this.#held.get(`${project.id}!${iid}`);
    if (!held) throw new ActionNeededError("MERGE_REQUEST_NOT_FOUND", `${project.path} has no !${iid}`);
    return held;
  }

  #now(): string {
    this.#clock += 1_000;
    return new Date(this.#clock).toISOString();
  }
}
