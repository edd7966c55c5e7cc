import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { CommitStatus } from "../forge/forge.ts";

/** A run that a note asked for: its reply follows it to its end. */
export interface FollowedRun {
  discussion: string;
  /** Our reply. */
  reply: number;
  /** The note that asked. */
  note: number;
  user: string;
  twin: string;
  id: string;
}

/** What is remembered of one open merge request. */
export interface ReviewMemory {
  projectPath: string;
  iid: number;
  /** `updatedAt` of the host when everything had been looked at. */
  seenAt: string | null;
  /** What was told last as a commit status. */
  status: Pick<CommitStatus, "commit" | "state" | "description"> | null;
  /** Ids of notes of others that were looked at: each is a command at most once. */
  notes: number[];
  runs: FollowedRun[];
  /** The head for which a member asked for previews, or had them removed. */
  preview: { head: string; wanted: boolean; twins: string[]; by: string } | null;
}

export interface KnownReview {
  projectId: number;
  memory: ReviewMemory;
}

/** One file for each open merge request; lost, all is looked at again, and replies on the host tell what was answered. */
export class ReviewMemories {
  readonly #folder: string;
  readonly #onSetAside: OnSetAside;

  constructor(folder: string, onSetAside: OnSetAside) {
    this.#folder = folder;
    this.#onSetAside = onSetAside;
  }

  async get(projectId: number, iid: number): Promise<ReviewMemory | undefined> {
    const path = this.#path(projectId, iid);
    return await readOrSetAside(path, { check: checkMemory, onSetAside: this.#onSetAside });
  }

  async put(projectId: number, memory: ReviewMemory): Promise<void> {
    await writeJsonAtomic(this.#path(projectId, memory.iid), memory, 0o600);
  }

  async remove(projectId: number, iid: number): Promise<void> {
    await rm(this.#path(projectId, iid), { force: true });
  }

  /** Of one project, or of all. */
  async all(of?: number): Promise<KnownReview[]> {
    const found: KnownReview[] = [];
    const projects = of === undefined ? await readdir(this.#folder).catch(() => []) : [String(of)];
    for (const project of projects.filter((name) => /^\d+$/.test(name))) {
      for (const name of await readdir(join(this.#folder, project)).catch(() => [])) {
        const [, iid] = /^(\d+)\.json$/.exec(name) ?? [];
        const memory = iid === undefined ? undefined : await this.get(Number(project), Number(iid));
        if (memory) found.push({ projectId: Number(project), memory });
      }
    }
    return found;
  }

  #path(projectId: number, iid: number): string {
    return join(this.#folder, String(projectId), `${iid}.json`);
  }
}

function checkMemory(value: unknown, path: string): ReviewMemory {
  const { projectPath, iid, notes, runs } = (value ?? {}) as Partial<ReviewMemory>;
  const areNotes = Array.isArray(notes) && notes.every((id) => typeof id === "number");
  const areRuns =
    Array.isArray(runs) && runs.every((run) => typeof run?.id === "string" && typeof run.user === "string");
  if (typeof projectPath === "string" && typeof iid === "number" && areNotes && areRuns)
    return value as ReviewMemory;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no memory of a merge request`);
}
