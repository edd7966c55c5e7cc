import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { OnSetAside } from "#core/read-or-set-aside";
import { newRunId, runIdAt } from "#core/run-id";
import { SerialByKey } from "#core/serial-by-key";
import type { AcceptedRun, RunDetails } from "#schemas/api";
import type { DesiredState, DesiredTwin, PinnedSnapshot, RunRequest } from "#schemas/desired-state";
import { isOperationName } from "#schemas/operation-name";
import { checkGivenParameters } from "#schemas/parameters";
import { recordOf } from "#schemas/plain-data";
import { isAskedFor } from "#schemas/run";
import { didYouMean } from "#schemas/suggest";
import { isTwinName } from "#schemas/twin-name";
import type { Parameters } from "#schemas/twin-spec";
import type { Use } from "#schemas/use";
import type { RunArchive } from "../reading/run-archive.ts";
import { listFolder, type StoredDocuments } from "../reading/stored-documents.ts";
import { notRunning } from "../workspaces/workspace-book.ts";
import { IdempotencyKeys, type KeyedWish } from "./idempotency-keys.ts";
import { limitProblem } from "./limit-problem.ts";

/** Accepted and not begun, for one user; who asks for more is told to wait (429). */
export const maxWaitingRequests = 1_000;

/** Operations that end something, and so are never too much. */
const freeing = ["terminate", "clean"];

export interface RequestBookDeps {
  data: DataFolder;
  documents: Pick<StoredDocuments, "desired">;
  runs: Pick<RunArchive, "get">;
  /** Tells the runner to look at this user. A lost nudge costs time only. */
  nudgeUser: (user: string) => Promise<void>;
  /** Makes a checkout that a former run needs and that is not there any more. Not given: nothing is done again. */
  ensureSnapshot?: (pinned: PinnedSnapshot) => Promise<void>;
  /** Whether a user's workspace runs, for runs of a copy of its files. Not given: it does not. */
  isWorkspaceReady?: (user: string) => Promise<boolean>;
  /** What previews of merge requests take of a user's limits now. Not given: nothing. */
  previewUse?: (user: string) => Promise<Use>;
  /** Called when a nudge failed: the request is on disk, and the runner's own timer finds it. */
  onNudgeFailed: (user: string, error: unknown) => void;
  onSetAside: OnSetAside;
}

/** Who asks, and with which idempotency key, if any: the same key with the same wish is the same run. */
export interface Asker {
  username: string;
  key?: string | undefined;
}

/** Wishes to run something or to end it. Each is on disk before it is acknowledged, so a crash loses none. */
export class RequestBook {
  readonly #deps: RequestBookDeps;
  readonly #serial = new SerialByKey();
  readonly #keys: IdempotencyKeys;

  constructor(deps: RequestBookDeps) {
    this.#deps = deps;
    this.#keys = new IdempotencyKeys(deps.data, deps.onSetAside);
  }

  /**
   * `parameters`: for this run alone, over those of dt.yaml. Errors: `TWIN_NOT_FOUND`, `TWIN_REFUSED`, `TWIN_SUSPENDED`,
   * `OPERATION_UNKNOWN`, `REQUESTS_TOO_MANY`, `LIMIT_REACHED`, `TWIN_KEPT_UP`, `IDEMPOTENCY_KEY_REUSED`, those of
   * `checkGivenParameters`.
   * Errors: `TWIN_NOT_FOUND`, `TWIN_REFUSED`, `TWIN_SUSPENDED`, `ACCESS_REMOVED`, `OPERATION_UNKNOWN`, `REQUESTS_TOO_MANY`,
   * `IDEMPOTENCY_KEY_REUSED`.
   */
  async run(
    wish: { user: string; twin: string; operation: string; parameters?: unknown },
    asker: Asker,
  ): Promise<AcceptedRun> {
    const { parameters: given, ...rest } = wish;
    const requestedBy = asker.username;
    const asks = given === undefined ? rest.operation : `${rest.operation} with ${JSON.stringify(given)}`;
    return await this.#once({ ...rest, requestedBy, asks }, asker.key, async () => {
      const twin = await this.#checkOperation(rest);
      const parameters = given === undefined ? {} : { parameters: givenParameters(twin, wish) };
      await this.#checkLimits(rest);
      return { ...rest, requestedBy, ...parameters };
    });
  }

  /**
   * A run of a copy of the files in the user's workspace as they are now. What its dt.yaml says is judged once the copy is
   * there; the run ends with what is wrong. Errors: `WORKSPACE_NOT_RUNNING`, `TWIN_SUSPENDED`, `WORKTREE_OPERATION`,
   * `REQUESTS_TOO_MANY`, `IDEMPOTENCY_KEY_REUSED`, `PARAMETER_REFUSED`.
   */
  async runWorktree(
    wish: { user: string; twin: string; operation: string; parameters?: unknown },
    asker: Asker & { mayUseSecrets: boolean },
  ): Promise<AcceptedRun> {
    const { user, twin, operation, parameters: given } = wish;
    const requestedBy = asker.username;
    const words = given === undefined ? "" : ` with ${JSON.stringify(given)}`;
    const asks = `${operation} of the workspace${words}`;
    return await this.#once({ user, twin, requestedBy, asks }, asker.key, async () => {
      if (!isOperationName(operation) || freeing.includes(operation)) {
        throw new ActionNeededError(
          "WORKTREE_OPERATION",
          `a copy of the workspace has no ${operation} to run`,
          {
            hint: "a copy begins afresh and is thrown away: run another of its operations",
          },
        );
      }
      if (!isTwinName(twin)) {
        throw new ActionNeededError("TWIN_NOT_FOUND", `${JSON.stringify(twin)} can be no twin's name`);
      }
      const known = (await this.#deps.documents.desired(user))?.twins.find(({ name }) => name === twin);
      if (known?.suspend) throw suspended(`${user}/${twin}`);
      if (!(await this.#deps.isWorkspaceReady?.(user))) throw notRunning(user);
      // Which names there are is judged with the copy; here only whether a run can be given such values.
      const values = recordOf(given);
      const parameters =
        given === undefined
          ? {}
          : { parameters: checkGivenParameters(given, values as Parameters | undefined) };
      await this.#checkLimits({ user, twin, operation });
      const secrets = asker.mayUseSecrets ? { mayUseSecrets: true as const } : {};
      return { user, twin, operation, requestedBy, worktree: true as const, ...secrets, ...parameters };
    });
  }

  /** Errors: those of `run`, `RUN_NOT_FOUND`, `RUN_NOT_REPEATABLE`. */
  async rerun(wish: { user: string; twin: string; id: string }, asker: Asker): Promise<AcceptedRun> {
    const { user, twin, id } = wish;
    const requestedBy = asker.username;
    return await this.#once({ user, twin, requestedBy, asks: `rerun of ${id}` }, asker.key, async () => {
      const operation = await this.#repeatable(wish);
      return { user, twin, operation, requestedBy, rerunOf: id };
    });
  }

  /**
   * A run that the twin's schedule asks for at this time. Asked for again it is the same run, begun or ended as it may
   * be; `skipped` says why there is none: the operation still runs, or cannot be run.
   */
  async runScheduled(wish: {
    user: string;
    twin: string;
    operation: string;
    atMs: number;
  }): Promise<{ id: string } | { skipped: string }> {
    const { user, twin, operation, atMs } = wish;
    const runId = runIdAt(atMs, user, twin, operation);
    if (await this.#deps.runs.get(user, twin, runId)) return { id: runId };
    const keyed = { user, twin, requestedBy: user, asks: operation };
    try {
      const prepare = async () => {
        runnableTwin(await this.#deps.documents.desired(user), wish);
        const open = await this.#openRun(wish);
        if (open !== undefined) throw new ActionNeededError("RUN_OPEN", `run ${open} of it has not ended`);
        await this.#checkLimits(wish);
        return { user, twin, operation, requestedBy: user, scheduledFor: new Date(atMs).toISOString() };
      };
      return { id: (await this.#once(keyed, undefined, prepare, runId)).id };
    } catch (error) {
      if (error instanceof ActionNeededError) return { skipped: error.message };
      throw error;
    }
  }

  async #ensureSnapshot(pinned: PinnedSnapshot, id: string): Promise<void> {
    try {
      await this.#deps.ensureSnapshot?.(pinned);
    } catch (error) {
      if (!(error instanceof ActionNeededError) || error.code !== "REVISION_NOT_FOUND") throw error;
      throw new ActionNeededError(
        "RUN_NOT_REPEATABLE",
        `run ${id} used commit ${pinned.commit.slice(0, 8)}, which ${pinned.project} no longer has`,
        { cause: error },
      );
    }
  }

  /** Throws `LIMIT_REACHED` when one more container of this twin is too much for its user. */
  async #checkLimits(wish: { user: string; twin: string; operation: string }): Promise<void> {
    const { user, operation } = wish;
    const desired = await this.#deps.documents.desired(user);
    if (!desired?.limits || freeing.includes(operation)) return;
    const asked = [wish.twin];
    for (const name of await listFolder(join(this.#deps.data.requests, user))) {
      const [id = "", kind] = name.split(".");
      if (kind !== "json") continue;
      for (const twin of desired.twins) {
        const run = await this.#deps.runs.get(user, twin.name, id);
        if (run && run.state !== "ended") asked.push(twin.name);
      }
    }
    const problem = limitProblem(desired, asked, await this.#deps.previewUse?.(user));
    if (problem === undefined) return;
    throw new ActionNeededError("LIMIT_REACHED", problem, {
      hint: "wait for other runs to end, stop a twin, or ask the platform's administrator for more",
    });
  }

  /** A run of this operation that waits or runs because somebody, or the schedule, asked for it. */
  async #openRun(wish: { user: string; twin: string; operation: string }): Promise<string | undefined> {
    const { user, twin, operation } = wish;
    for (const name of await listFolder(join(this.#deps.data.requests, user))) {
      const [id = "", kind] = name.split(".");
      if (kind !== "json") continue;
      const run = await this.#deps.runs.get(user, twin, id);
      if (run?.operation === operation && run.state !== "ended") return id;
    }
    return undefined;
  }

  /** The twin, where it has this operation. */
  async #checkOperation(wish: { user: string; twin: string; operation: string }): Promise<DesiredTwin> {
    const twin = runnableTwin(await this.#deps.documents.desired(wish.user), wish);
    const known = Object.keys(twin.spec.lifecycle);
    if (!known.includes(wish.operation)) {
      const near = didYouMean(wish.operation, known);
      const list = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
      throw new ActionNeededError(
        "OPERATION_UNKNOWN",
        `${wish.user}/${wish.twin} has no operation "${wish.operation}": ${list}`,
        {
          hint:
            near ?? "operations are the scripts in the twin's lifecycle/ folder or spec.lifecycle in dt.yaml",
        },
      );
    }
    return twin;
  }

  /** The operation of a former run that can be done again. */
  async #repeatable(wish: { user: string; twin: string; id: string }): Promise<string> {
    const { user, twin, id } = wish;
    const former = await this.#find(wish);
    runnableTwin(await this.#deps.documents.desired(user), wish);
    if (!former.manifest) {
      throw new ActionNeededError(
        "RUN_NOT_REPEATABLE",
        `run ${id} never began, so there is nothing to repeat`,
        {
          hint: `run the operation itself: dtaas twin run ${user}/${twin} ${former.operation ?? "<operation>"}`,
        },
      );
    }
    const { own, shared = [], operation, worktree } = former.manifest;
    if (worktree) {
      throw new ActionNeededError(
        "RUN_NOT_REPEATABLE",
        `run ${id} ran a copy of files that were not committed, which is not kept`,
        { hint: `commit and push them, then: dtaas twin run ${user}/${twin} ${operation}` },
      );
    }
    await this.#checkLimits({ user, twin, operation });
    for (const pinned of [own, ...shared]) await this.#ensureSnapshot(pinned, id);
    return operation;
  }

  /** Asking twice is asking once. Errors: `RUN_NOT_FOUND`, `RUN_ENDED`, `RUN_KEPT_UP`. */
  async cancel(wish: { user: string; twin: string; id: string }, requestedBy: string): Promise<RunDetails> {
    const { user, twin, id } = wish;
    const run = await this.#find(wish);
    if (run.state === "ended") {
      throw new ActionNeededError("RUN_ENDED", `run ${id} has ended already: ${run.outcome}`);
    }
    const isKeptUp = run.operation === "execute" && (run.cause === null || !isAskedFor(run.cause));
    if (isKeptUp) {
      throw new ActionNeededError(
        "RUN_KEPT_UP",
        `run ${id} is kept up because Git says ${user}/${twin} is running; it would only be started again`,
        { hint: `stop the twin: dtaas twin stop ${user}/${twin}` },
      );
    }
    const path = join(this.#deps.data.requests, user, `${id}.cancel`);
    await writeJsonAtomic(path, {
      version: 1,
      runId: id,
      requestedBy,
      requestedAt: new Date().toISOString(),
    });
    this.#nudge(user);
    return { ...run, cancelRequested: true };
  }

  async #find(wish: { user: string; twin: string; id: string }): Promise<RunDetails> {
    const run = await this.#deps.runs.get(wish.user, wish.twin, wish.id);
    if (run) return run;
    throw new ActionNeededError("RUN_NOT_FOUND", `${wish.user}/${wish.twin} has no run ${wish.id}`, {
      hint: `list its runs: dtaas twin history ${wish.user}/${wish.twin}`,
    });
  }

  /** Puts a wish on disk, once for each key. `prepare` says what is asked for, or throws why it cannot be had. */
  async #once(
    keyed: KeyedWish,
    key: string | undefined,
    prepare: () => Promise<Omit<RunRequest, "version" | "runId" | "requestedAt">>,
    fixedId?: string,
  ): Promise<AcceptedRun> {
    const { user, twin } = keyed;
    const folder = join(this.#deps.data.requests, user);
    const accepted = await this.#serial.run(user, async () => {
      const known = key === undefined ? undefined : await this.#keys.find(keyed, key);
      if (known && (await this.#deps.runs.get(user, twin, known.runId))) return known;
      const wish = await prepare();
      // The runner takes away what has ended; what is here waits or runs.
      const waiting = (await listFolder(folder)).filter((name) => name.endsWith(".json")).length;
      if (waiting >= maxWaitingRequests) {
        throw new ActionNeededError(
          "REQUESTS_TOO_MANY",
          `${user} has ${waiting} runs waiting; no more than ${maxWaitingRequests} are accepted`,
          { hint: "wait for some to end, or cancel some" },
        );
      }
      // A key that is kept without a request: a crash came between the two.
      const runId = fixedId ?? known?.runId ?? newRunId(Date.now());
      const { operation } = wish;
      if (key !== undefined && !known) await this.#keys.keep(keyed, key, { runId, operation });
      const request: RunRequest = { version: 1, runId, requestedAt: new Date().toISOString(), ...wish };
      await writeJsonAtomic(join(folder, `${runId}.json`), request);
      return { runId, operation };
    });
    this.#nudge(user);
    return { id: accepted.runId, user, twin, operation: accepted.operation };
  }

  /** Not waited for: the request is on disk, and a queue that is away for a while must not delay the answer. */
  #nudge(user: string): void {
    this.#deps.nudgeUser(user).catch((error: unknown) => this.#deps.onNudgeFailed(user, error));
  }
}

function givenParameters(
  twin: DesiredTwin,
  wish: { user: string; operation: string; parameters?: unknown },
): Parameters {
  const parameters = checkGivenParameters(wish.parameters, twin.spec.parameters);
  if (wish.operation !== "execute" || twin.state !== "running") return parameters;
  throw new ActionNeededError(
    "TWIN_KEPT_UP",
    `${wish.user}/${twin.name} is kept running with the parameters of its dt.yaml`,
    { hint: "change them there and push, or stop the twin first" },
  );
}

function suspended(full: string): ActionNeededError {
  return new ActionNeededError(
    "TWIN_SUSPENDED",
    `${full} is suspended: the platform changes nothing about it`,
    { hint: "set `suspend: false` in its dt.yaml and push" },
  );
}

function runnableTwin(desired: DesiredState | undefined, wish: { user: string; twin: string }): DesiredTwin {
  const twin = desired?.twins.find((candidate) => candidate.name === wish.twin);
  const full = `${wish.user}/${wish.twin}`;
  if (twin?.suspend) throw suspended(full);
  if (twin?.withheld) {
    throw new ActionNeededError("ACCESS_REMOVED", `${full} cannot run: ${twin.withheld.reason}`, {
      hint: "ask for access to it on the Git host, or do without its assets in dt.yaml",
    });
  }
  if (twin) return twin;
  const refused = desired?.refused.find((candidate) => candidate.name === wish.twin);
  const first = refused?.diagnostics[0];
  if (first) {
    const { file, line, column } = first;
    throw new ActionNeededError(
      "TWIN_REFUSED",
      `${full} cannot run: ${file}:${line}:${column}: ${first.message}`,
      {
        where: { file, line, column },
        hint: first.hint ?? "mend it and push",
      },
    );
  }
  const names = desired?.twins.map((candidate) => candidate.name) ?? [];
  throw new ActionNeededError("TWIN_NOT_FOUND", `${wish.user} has no twin ${wish.twin}`, {
    hint: didYouMean(wish.twin, names) ?? "list them: dtaas twin list",
  });
}
