import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { OnSetAside } from "#core/read-or-set-aside";
import { newRunId } from "#core/run-id";
import { SerialByKey } from "#core/serial-by-key";
import type { AcceptedRun, RunDetails } from "#schemas/api";
import type { DesiredState, DesiredTwin, PinnedSnapshot, RunRequest } from "#schemas/desired-state";
import { didYouMean } from "#schemas/suggest";
import type { RunArchive } from "../reading/run-archive.ts";
import { listFolder, type StoredDocuments } from "../reading/stored-documents.ts";
import { IdempotencyKeys, type KeyedWish } from "./idempotency-keys.ts";

/** Accepted and not begun, for one user; who asks for more is told to wait (429). */
export const maxWaitingRequests = 1_000;

export interface RequestBookDeps {
  data: DataFolder;
  documents: Pick<StoredDocuments, "desired">;
  runs: Pick<RunArchive, "get">;
  /** Has this revision checked out again, where that was taken away meanwhile. */
  checkOut: (pinned: PinnedSnapshot) => Promise<unknown>;
  /** Tells the runner to look at this user. A lost nudge costs time only. */
  nudgeUser: (user: string) => Promise<void>;
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
   * Errors: `TWIN_NOT_FOUND`, `TWIN_REFUSED`, `TWIN_SUSPENDED`, `ACCESS_REMOVED`, `OPERATION_UNKNOWN`, `REQUESTS_TOO_MANY`,
   * `IDEMPOTENCY_KEY_REUSED`.
   */
  async run(wish: { user: string; twin: string; operation: string }, asker: Asker): Promise<AcceptedRun> {
    const requestedBy = asker.username;
    return await this.#once({ ...wish, requestedBy, asks: wish.operation }, asker.key, async () => {
      await this.#checkOperation(wish);
      return { ...wish, requestedBy };
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

  async #checkOperation(wish: { user: string; twin: string; operation: string }): Promise<void> {
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
    const { own, shared = [] } = former.manifest;
    for (const pinned of [own, ...shared]) await this.#deps.checkOut(pinned);
    return former.manifest.operation;
  }

  /** Asking twice is asking once. Errors: `RUN_NOT_FOUND`, `RUN_ENDED`, `RUN_KEPT_UP`. */
  async cancel(wish: { user: string; twin: string; id: string }, requestedBy: string): Promise<RunDetails> {
    const { user, twin, id } = wish;
    const run = await this.#find(wish);
    if (run.state === "ended") {
      throw new ActionNeededError("RUN_ENDED", `run ${id} has ended already: ${run.outcome}`);
    }
    const isKeptUp = run.operation === "execute" && run.cause !== "request" && run.cause !== "rerun";
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
      const runId = known?.runId ?? newRunId(Date.now());
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

function runnableTwin(desired: DesiredState | undefined, wish: { user: string; twin: string }): DesiredTwin {
  const twin = desired?.twins.find((candidate) => candidate.name === wish.twin);
  const full = `${wish.user}/${wish.twin}`;
  if (twin?.suspend) {
    throw new ActionNeededError(
      "TWIN_SUSPENDED",
      `${full} is suspended: the platform changes nothing about it`,
      {
        hint: "set `suspend: false` in its dt.yaml and push",
      },
    );
  }
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
