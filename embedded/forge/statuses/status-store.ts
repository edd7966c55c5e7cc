import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { LruMap } from "../git/lru-map.ts";
import { Sequence } from "../store/sequence.ts";

const commitsKept = 2_000; // in memory; the rest is read again from disk

export const statusStates = ["pending", "running", "success", "failed", "canceled", "skipped"] as const;
export type StatusState = (typeof statusStates)[number];

export interface StatusRecord {
  readonly id: number;
  pipelineId: number;
  ref: string;
  name: string;
  status: StatusState;
  targetUrl: string | null;
  description: string | null;
  coverage: number | null;
  userId: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** True once a newer one with this name took its place. */
  retried: boolean;
}

export interface PipelineRecord {
  readonly id: number;
  iid: number;
  ref: string;
  tag: boolean;
  source: "external";
  userId: number;
  createdAt: string;
  updatedAt: string;
}

/** The pipelines made by statuses, and the statuses, of one commit. */
export interface CommitStatuses {
  pipelines: PipelineRecord[];
  statuses: StatusRecord[];
}

/** Statuses on disk, one file per commit, so that writing one costs the same however long the history is. */
export class StatusStore {
  readonly #folder: string;
  readonly #ids: Sequence;
  readonly #kept = new LruMap<string, CommitStatuses>(commitsKept);

  private constructor(folder: string, ids: Sequence) {
    this.#folder = folder;
    this.#ids = ids;
  }

  static async open(folder: string): Promise<StatusStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new StatusStore(folder, await Sequence.open(join(folder, "next-id")));
  }

  nextId(): Promise<number> {
    return this.#ids.next();
  }

  async read(projectId: number, commit: string): Promise<CommitStatuses> {
    const path = this.#path(projectId, commit);
    const kept = this.#kept.get(path);
    if (kept) return kept;
    const read = ((await readJson(path)) as CommitStatuses | undefined) ?? { pipelines: [], statuses: [] };
    const newer = this.#kept.get(path); // written while the file was read
    if (newer) return newer;
    this.#kept.set(path, read);
    return read;
  }

  /** Replaces what is kept for the commit, durably. The caller holds the commit's lock. */
  async write(projectId: number, commit: string, statuses: CommitStatuses): Promise<void> {
    const path = this.#path(projectId, commit);
    await writeJsonAtomic(path, statuses, 0o600);
    this.#kept.set(path, statuses);
  }

  /** Removes everything of a project that is gone. */
  async forget(projectId: number): Promise<void> {
    await rm(join(this.#folder, String(projectId)), { recursive: true, force: true });
  }

  #path(projectId: number, commit: string): string {
    return join(this.#folder, String(projectId), `${commit}.json`);
  }
}
