import { join } from "node:path";
import pLimit from "p-limit";
import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import { redactSecrets } from "#core/redaction";
import { SerialByKey } from "#core/serial-by-key";
import { maxDocumentBytes } from "#schemas/limits";
import { parseWorkspace } from "#schemas/parse-workspace";
import type { RemotePolicy, RemoteSpec, RemoteView } from "#schemas/remotes";
import { didYouMean } from "#schemas/suggest";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { Tracked } from "../reconcile/tracked.ts";
import { checkRemoteUrl, type Lookup } from "./check-remote-url.ts";
import type { ReadCredential } from "./read-credential.ts";
import { RemoteJournal, type RemoteRecord } from "./remote-journal.ts";
import { RemoteRepository } from "./remote-repository.ts";
import { syncRemote } from "./sync-remote.ts";

const tickMs = 30_000; // `every` is a minute at least
const atOnce = 2; // attempts; each has a git process and a connection to another host
const openPolicy: RemotePolicy = { private: [] };

export interface RemotesDeps {
  /** The journal's folder; what is fetched lies below it. */
  folder: string;
  forge: Pick<Forge, "gitAccess">;
  mirrors: Mirrors;
  tracked: Pick<Tracked, "users" | "projectOf" | "platform">;
  /** A fetch of ours has brought a newer head of this project here. */
  onMoved: (path: string, head: string) => void;
  readCredential: ReadCredential;
  /** Finds a host's addresses; the machine's resolver unless given. */
  addressesOf?: Lookup;
  logger: Logger;
  /** ISO 8601 times are made from this. */
  nowMs?: () => number;
}

/**
 * Repositories on other hosts that users name in workspace.yaml: pulled and pushed when their time has come, and when
 * somebody asks. A plain timer looks, a queue of two works, and the journal knows what was accepted. Attempts of one user
 * never run side by side.
 */
export class Remotes {
  readonly #deps: RemotesDeps;
  readonly #journal: RemoteJournal;
  readonly #limit = pLimit(atOnce);
  readonly #serial = new SerialByKey();
  readonly #queued = new Map<string, "waiting" | "running">();
  readonly #specs = new Map<string, { commit: string; remotes: RemoteSpec[] }>();
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(deps: RemotesDeps, journal: RemoteJournal) {
    this.#deps = deps;
    this.#journal = journal;
  }

  static async open(deps: RemotesDeps): Promise<Remotes> {
    return new Remotes(deps, await RemoteJournal.open(deps.folder));
  }

  /** Looks now and from then on. */
  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), tickMs);
  }

  /** Ends what is under way; it is done again after the next start. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#limit.clearQueue();
    await Promise.allSettled(this.#underWay);
  }

  /** Queues what is due and what was accepted and not done. One user's fault is logged and does not stop the others. */
  async look(): Promise<void> {
    for (const { user } of this.#deps.tracked.users()) {
      if (this.#stop.signal.aborted) return;
      try {
        const remotes = await this.#remotesOf(user);
        if (remotes.length === 0) continue;
        const records = await this.#journal.read(user);
        for (const remote of remotes) {
          const due = dueAtMs(remote, records[remote.name]);
          if (due <= this.#nowMs()) this.#queue(user, remote.name);
        }
      } catch (error) {
        this.#deps.logger.warn({ user, err: messageOf(error) }, "remotes could not be looked at");
      }
    }
  }

  /** The user's remotes in the order of workspace.yaml, with what became of them. */
  async list(user: string): Promise<RemoteView[]> {
    const remotes = await this.#remotesOf(user);
    const queued = new Map(this.#queued); // before the journal: what is not queued any more has been written down
    const records = await this.#journal.read(user);
    return remotes.map((remote) => this.#view(remote, records[remote.name], { user, queued }));
  }

  /**
   * Accepts a wish; it is on disk when this resolves, and done soon. Errors: `REMOTE_UNKNOWN`, `REMOTE_DIRECTION` when the
   * remote goes the other way.
   */
  async request(
    user: string,
    name: string,
    wish: { by: string; direction?: RemoteSpec["direction"] },
  ): Promise<RemoteView> {
    const remotes = await this.#remotesOf(user);
    const remote = remotes.find((one) => one.name === name);
    if (!remote) {
      const names = remotes.map((one) => one.name);
      throw new ActionNeededError("REMOTE_NOT_FOUND", `${user} has no remote ${name}`, {
        hint: didYouMean(name, names) ?? "name it in workspace.yaml, under `remotes`",
      });
    }
    if (wish.direction !== undefined && wish.direction !== remote.direction) {
      throw new ActionNeededError("REMOTE_DIRECTION", `the remote ${name} is there to ${remote.direction}`, {
        where: { file: "workspace.yaml" },
        hint: `write another remote with \`direction: ${wish.direction}\``,
      });
    }
    const requestedAt = this.#now();
    const names = remotes.map((one) => one.name);
    await this.#journal.update(user, name, { requestedAt, requestedBy: wish.by }, names);
    this.#queue(user, name);
    const queued = new Map(this.#queued);
    return this.#view(remote, (await this.#journal.read(user))[name], { user, queued });
  }

  #queue(user: string, name: string): void {
    const key = `${user} ${name}`;
    if (this.#queued.get(key) === "waiting" || this.#stop.signal.aborted) return;
    this.#queued.set(key, "waiting");
    const work = this.#serial.run(user, () =>
      this.#limit(async () => {
        this.#queued.set(key, "running");
        try {
          await this.#attempt(user, name);
        } finally {
          if (this.#queued.get(key) === "running") this.#queued.delete(key);
        }
      }),
    );
    const settled = work.catch((error: unknown) => {
      this.#queued.delete(key);
      this.#deps.logger.error({ user, remote: name, err: messageOf(error) }, "a remote's attempt broke off");
    });
    this.#underWay.add(settled);
    void settled.then(() => this.#underWay.delete(settled));
  }

  async #attempt(user: string, name: string): Promise<void> {
    const { logger } = this.#deps;
    const remotes = await this.#remotesOf(user);
    const remote = remotes.find((one) => one.name === name);
    const project = this.#deps.tracked.projectOf(user);
    if (!remote || !project) return; // no longer in workspace.yaml
    const names = remotes.map((one) => one.name);
    await this.#journal.update(user, name, { startedAt: this.#now() }, names);
    const ended = await this.#sync(project, remote).catch(failure);
    if (this.#stop.signal.aborted && ended.outcome === "failed") return; // not its fault; done after the next start
    await this.#journal.update(user, name, { ...ended, finishedAt: this.#now() }, names);
    const level = ended.outcome === "updated" || ended.outcome === "unchanged" ? "info" : "warn";
    logger[level]({ user, remote: name, outcome: ended.outcome, reason: ended.message }, "remote looked at");
  }

  async #sync(project: ForgeProject, remote: RemoteSpec): Promise<RemoteRecord> {
    const { forge, mirrors, tracked, folder } = this.#deps;
    const policy = tracked.platform?.remotes ?? openPolicy;
    const checked = await checkRemoteUrl(remote.url, policy, this.#deps.addressesOf);
    const authorization = await this.#authorization(project, remote);
    const repository = new RemoteRepository({
      gitDir: join(folder, "git", `${project.id}-${remote.name}.git`),
      mirror: mirrors.path(project.id),
      git: mirrors.git,
      signal: this.#stop.signal,
    });
    const access = forge.gitAccess(project);
    const { signal } = this.#stop;
    const fetchHome = async () => {
      const before = await mirrors.head(project);
      const head = await mirrors.fetch(project, access, { signal });
      if (head !== undefined && head !== before) this.#deps.onMoved(project.path, head);
      return head;
    };
    const host = { checked, ...(authorization === undefined ? {} : { authorization }) };
    return { ...(await syncRemote({ repository, host, project, fetchHome, access, signal }, remote)) };
  }

  /** The header that signs us in over there: a token, or `user:token`. */
  async #authorization(project: ForgeProject, remote: RemoteSpec): Promise<string | undefined> {
    const name = remote.credentials;
    if (name === undefined) return undefined;
    const value = await this.#deps.readCredential(project, name);
    if (value === undefined || value === "" || /[\r\n]/.test(value)) {
      throw new ActionNeededError("REMOTE_CREDENTIALS_MISSING", `There is no usable variable ${name}`, {
        where: { file: "workspace.yaml" },
        hint: `Make a CI/CD variable ${name} in ${project.path} itself that holds a token, for every environment.`,
      });
    }
    const pair = value.includes(":") ? value : `oauth2:${value}`;
    return `Basic ${Buffer.from(pair).toString("base64")}`;
  }

  /** What workspace.yaml says at the head that was fetched last; while it has an error, what it said before. */
  async #remotesOf(user: string): Promise<RemoteSpec[]> {
    const { tracked, mirrors } = this.#deps;
    const project = tracked.projectOf(user);
    const commit = project && (await mirrors.head(project));
    if (!project || commit === undefined) return [];
    const known = this.#specs.get(user);
    if (known?.commit === commit) return known.remotes;
    const reader = await GitReader.open(mirrors, project.id, commit, this.#stop.signal);
    const text = await reader.read("workspace.yaml", maxDocumentBytes);
    const parsed = text === undefined ? undefined : parseWorkspace(text, { file: "workspace.yaml" });
    const isBroken = parsed !== undefined && parsed.document === undefined;
    const remotes = isBroken ? (known?.remotes ?? []) : (parsed?.document?.remotes ?? []);
    this.#specs.set(user, { commit, remotes });
    return remotes;
  }

  #view(
    remote: RemoteSpec,
    record: RemoteRecord | undefined,
    at: { user: string; queued: ReadonlyMap<string, "waiting" | "running"> },
  ): RemoteView {
    const { user } = at;
    const { outcome, message, files, commit, remoteCommit, requestedAt, finishedAt } = record ?? {};
    const queued = at.queued.get(`${user} ${remote.name}`);
    return {
      user,
      name: remote.name,
      url: remote.url,
      direction: remote.direction,
      everyMs: remote.everyMs,
      branch: remote.branch ?? null,
      outcome: queued ?? outcome ?? "never",
      message: message ?? null,
      files: files ?? [],
      commit: commit ?? null,
      remoteCommit: remoteCommit ?? null,
      requestedAt: requestedAt ?? null,
      finishedAt: finishedAt ?? null,
      nextAt: queued ? null : new Date(Math.max(dueAtMs(remote, record), 0)).toISOString(),
    };
  }

  #nowMs(): number {
    return this.#deps.nowMs?.() ?? Date.now();
  }

  #now(): string {
    return new Date(this.#nowMs()).toISOString();
  }
}

/** When the next attempt is due, in milliseconds since 1970; 0 for at once. Pure. */
export function dueAtMs(remote: Pick<RemoteSpec, "everyMs">, record: RemoteRecord = {}): number {
  const { requestedAt, startedAt, finishedAt } = record;
  if (finishedAt === undefined) return 0;
  if (requestedAt !== undefined && requestedAt > finishedAt) return 0;
  if (startedAt !== undefined && startedAt > finishedAt) return 0; // it was broken off
  return Date.parse(finishedAt) + remote.everyMs;
}

/** What is written down of an attempt that did not work. */
function failure(error: unknown): RemoteRecord {
  const message = redactSecrets(messageOf(error));
  if (error instanceof ActionNeededError) {
    const { file } = error.where ?? {};
    const hint = error.hint === undefined ? "" : ` ${error.hint}`;
    return { outcome: "refused", message: `${message}.${hint}`, files: file === undefined ? [] : [file] };
  }
  if (error instanceof TryLaterError) return { outcome: "failed", message, files: [] };
  return { outcome: "failed", message: `it broke off: ${message}`, files: [] };
}
