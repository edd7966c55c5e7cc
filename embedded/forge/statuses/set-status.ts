import { SerialByKey } from "#core/serial-by-key";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { branchHead, tagTarget } from "../git/refs.ts";
import { ApiError, badRequest, forbidden, notFound } from "../http/api-error.ts";
import { settle } from "../pipelines/advance.ts";
import { canPush } from "../repository/branch-protection.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { PipelineRecord, StatusRecord, StatusState } from "./status-store.ts";
import { transition } from "./transition.ts";

const maxWaitMs = 10_000; // for another update of the same commit; then the client is told to try again

export interface WantedStatus {
  state: StatusState;
  name: string;
  ref?: string;
  targetUrl?: string;
  description?: string;
  coverage?: number;
  pipelineId?: number;
}

/**
 * Sets commit statuses the way GitLab does: on the newest pipeline of the commit, in its `external` stage; a
 * status of the same name, ref and user that still runs is moved on, a finished one is hidden by a new one.
 */
export class StatusSetter {
  readonly #context: ForgeContext;
  readonly #locks = new SerialByKey();

  constructor(context: ForgeContext) {
    this.#context = context;
  }

  /** `commit` is a full id that exists. Throws `ApiError` 400, 403, 404 or 409 in GitLab's words. */
  set(project: ProjectRecord, user: UserRecord, commit: string, wanted: WantedStatus): Promise<StatusRecord> {
    return this.#locked(`${project.id}:${commit}`, () => this.#set(project, user, commit, wanted));
  }

  async #set(
    project: ProjectRecord,
    user: UserRecord,
    commit: string,
    wanted: WantedStatus,
  ): Promise<StatusRecord> {
    const { statuses: store, clock, store: state } = this.#context;
    const known = await store.read(project.id, commit);
    const found = pickPipeline([...known.pipelines, ...this.#ciPipelines(project, commit)], wanted);
    if (!found && wanted.pipelineId !== undefined) throw notFound("Pipeline for pipeline_id, sha and ref");
    const ref = wanted.ref ?? found?.ref ?? (await this.#refWith(project, commit));
    if (ref === undefined) throw notFound("References for commit");
    if (!canPush(project, ref, projectLevel(state, user, project, clock()))) throw forbidden();
    const now = clock().toISOString();
    const own = known.pipelines.find(({ id }) => id === found?.id);
    const external = own ?? (found ? undefined : await this.#newPipeline(project, user, ref, now));
    const pipelineId = external?.id ?? found?.id ?? 0;
    const current = known.statuses.find(
      (each) =>
        each.pipelineId === pipelineId &&
        each.name === wanted.name &&
        each.ref === ref &&
        each.userId === user.id &&
        (each.status === "pending" || each.status === "running"),
    );
    const before: StatusRecord = current ?? {
      id: await store.nextId(),
      pipelineId,
      ref,
      name: wanted.name,
      status: "pending",
      targetUrl: null,
      description: null,
      coverage: null,
      userId: user.id,
      createdAt: now,
      startedAt: null,
      finishedAt: null,
      retried: false,
    };
    const after: StatusRecord = {
      ...before,
      ...(wanted.targetUrl !== undefined && { targetUrl: wanted.targetUrl }),
      ...(wanted.description !== undefined && { description: wanted.description }),
      ...(wanted.coverage !== undefined && { coverage: wanted.coverage }),
      ...transition(current?.status ?? "created", wanted.state, now),
    };
    await store.write(project.id, commit, {
      pipelines: [
        ...known.pipelines.filter((each) => each.id !== pipelineId),
        ...(external ? [{ ...external, updatedAt: now }] : []),
      ].sort((a, b) => a.id - b.id),
      statuses: [...known.statuses.filter((each) => each.id !== after.id).map(hideBehind(after)), after].sort(
        (a, b) => a.id - b.id,
      ),
    });
    if (!external) await this.#context.ci.serially(() => settle(this.#context, pipelineId));
    return after;
  }

  /** Pipelines that jobs make of the commit; those below another one are passed over. */
  #ciPipelines(project: ProjectRecord, commit: string): Pickable[] {
    const { store } = this.#context.ci;
    const all = store.pipelinesByCommit.all(`${project.id}:${commit}`);
    return all.filter(({ source }) => source !== "parent_pipeline");
  }

  /** The branch a status belongs to when nobody says: one that holds the commit. */
  async #refWith(project: ProjectRecord, commit: string): Promise<string | undefined> {
    const { git, repositories } = this.#context;
    const gitDir = repositories.path(project.id);
    if ((await branchHead(gitDir, project.defaultBranch)) === commit) return project.defaultBranch;
    const listed = await git.text(gitDir, [
      "for-each-ref",
      "--count=1",
      "--format=%(refname:lstrip=2)",
      `--contains=${commit}`,
      "refs/heads",
    ]);
    return listed.trim() || undefined;
  }

  async #newPipeline(
    project: ProjectRecord,
    user: UserRecord,
    ref: string,
    now: string,
  ): Promise<PipelineRecord> {
    const gitDir = this.#context.repositories.path(project.id);
    const id = await this.#context.statuses.nextId();
    const isBranch = (await branchHead(gitDir, ref)) !== undefined;
    const tag = !isBranch && (await tagTarget(gitDir, ref)) !== undefined;
    return { id, iid: id, ref, tag, source: "external", userId: user.id, createdAt: now, updatedAt: now };
  }

  #locked<T>(key: string, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let gaveUp = false;
      const timer = setTimeout(() => {
        gaveUp = true;
        reject(new ApiError(409, { message: "Another update to this commit status is in progress" }));
      }, maxWaitMs);
      const run = async () => {
        clearTimeout(timer);
        if (!gaveUp) await task().then(resolve, reject);
      };
      this.#locks.run(key, run).catch(reject);
    });
  }
}

/** Checks what GitLab's model checks; throws 400. */
export function checkStatusTexts(wanted: WantedStatus): void {
  const maxLength = 255;
  const problem = [`is too long (maximum is ${maxLength} characters)`];
  if ([...(wanted.description ?? "")].length > maxLength) throw badRequest({ description: problem });
  if ([...wanted.name].length > maxLength) throw badRequest({ name: problem });
  if (wanted.targetUrl) {
    if (wanted.targetUrl.length > maxLength) throw badRequest({ target_url: problem });
    if (!/^https?:\/\//.test(wanted.targetUrl) || !URL.canParse(wanted.targetUrl)) {
      throw badRequest({ target_url: ["is blocked: Only allowed schemes are http, https"] });
    }
  }
}

type Pickable = Pick<PipelineRecord, "id" | "ref">;

/** The newest that fits, be it made by statuses or by jobs. */
function pickPipeline(pipelines: readonly Pickable[], wanted: WantedStatus): Pickable | undefined {
  const fitting = pipelines.filter(
    (each) =>
      (wanted.ref === undefined || each.ref === wanted.ref) &&
      (wanted.pipelineId === undefined || each.id === wanted.pipelineId),
  );
  return fitting.sort((a, b) => a.id - b.id).at(-1);
}

function hideBehind(newer: StatusRecord) {
  return (each: StatusRecord): StatusRecord =>
    each.pipelineId === newer.pipelineId && each.name === newer.name ? { ...each, retried: true } : each;
}
