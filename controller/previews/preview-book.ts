import { ActionNeededError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { SerialByKey } from "#core/serial-by-key";
import { useOfPreview } from "#planning/preview-room";
import type { PinnedSnapshot } from "#schemas/desired-state";
import type { PreviewsView } from "#schemas/preview-view";
import { isOver, type WantedPreview, type WantedPreviews } from "#schemas/previews";
import { addUse, noUse, type Use } from "#schemas/use";
import type { ForgeProject } from "../forge/forge.ts";
import type { Tracked } from "../reconcile/tracked.ts";
import type { ComparisonStore } from "./comparison-store.ts";
import { type PreviewRecords, seenOf } from "./observed-previews.ts";
import { PhaseChanges } from "./phase-changes.ts";
import type { PreviewComparisons } from "./preview-comparisons.ts";
import { previewId } from "./preview-id.ts";
import { checkNames, previewSources } from "./preview-sources.ts";
import { previewsView } from "./preview-views.ts";
import type { MergeRequestRef, PreviewState, Previews, PreviewsWanted } from "./previews.ts";
import { type PreviewSource, type ResolveDeps, type Resolved, resolvePreviews } from "./resolve-previews.ts";
import { statesOf } from "./states-of.ts";
import type { WantedDocuments } from "./wanted-documents.ts";

// Merge requests of one user with previews, those that have ended included: each has a document, and files for its time.
const maxMergeRequests = 50;
// What nobody has removed goes after this: the merge request was closed while nobody listened.
const maxAgeMs = 30 * 24 * 3_600_000;

export interface PreviewBookDeps extends Omit<ResolveDeps, "tracked"> {
  tracked: Tracked;
  documents: WantedDocuments;
  records: PreviewRecords;
  comparisons: PreviewComparisons;
  compared: ComparisonStore;
  /** Checks out what only a preview needs. */
  snapshots: { ensurePassing(project: { id: number; path: string }, commit: string): Promise<unknown> };
  logger: Logger;
  /** Tell the runner that a user's previews are others. */
  nudgeUser(user: string): void;
  /** Something new is to be said of these previews. */
  onChange(of: MergeRequestRef): void;
}

/** Previews on disk: what is wanted is written down for the runner, what the runner says is read. */
export class PreviewBook implements Previews {
  readonly #deps: PreviewBookDeps;
  readonly #serial = new SerialByKey();
  /** By user and merge request: what was said last. */
  readonly #told = new Map<string, string>();
  readonly changes = new PhaseChanges();

  constructor(deps: PreviewBookDeps) {
    this.#deps = deps;
  }

  async want(wanted: PreviewsWanted): Promise<void> {
    if (this.#deps.tracked.platform?.twinsFromMergeRequests === "nobody") {
      throw new ActionNeededError("PREVIEWS_OFF", "this platform runs nothing of merge requests", {
        hint: "policies.twinsFromMergeRequests in platform.yaml says so",
      });
    }
    checkNames(wanted.twins ?? []);
    await this.#ofMergeRequest(wanted, async () => {
      const sources = previewSources(this.#deps, wanted);
      for (const source of sources) await this.#wantOf(wanted, source);
      const users = new Set(sources.map(({ user }) => user));
      for (const document of this.#deps.documents.of(wanted)) {
        if (!users.has(document.user)) await this.#drop(document);
      }
    });
  }

  async remove(of: MergeRequestRef): Promise<void> {
    await this.#ofMergeRequest(of, async () => {
      for (const document of this.#deps.documents.of(of)) await this.#drop(document);
    });
  }

  async states(of: MergeRequestRef): Promise<PreviewState[]> {
    const states: PreviewState[] = [];
    for (const document of this.#deps.documents.of(of)) {
      const isOwn = document.id === previewId(of, true);
      states.push(...statesOf(await this.#view(document), isOwn ? "" : `${document.user}/`));
    }
    return states;
  }

  /** Those of one user, by merge request. */
  async ofUser(user: string): Promise<PreviewsView[]> {
    const documents = this.#deps.documents.ofUser(user).sort((a, b) => (a.wantedAt < b.wantedAt ? 1 : -1));
    return await Promise.all(documents.map((document) => this.#view(document)));
  }

  /** Those of one merge request. */
  async get(user: string, id: string): Promise<PreviewsView | undefined> {
    const document = this.#deps.documents.get(user, id);
    return document && (await this.#view(document));
  }

  /** What they take of the limits of their user now. */
  async use(user: string): Promise<Use> {
    let use = noUse;
    for (const document of this.#deps.documents.ofUser(user)) {
      const record = await this.#deps.records.get(user, document.id);
      for (const twin of document.twins) {
        if (seenOf(twin, record)?.phase === "running") use = addUse(use, useOfPreview(twin.resources));
      }
    }
    return use;
  }

  /** The runner has said something of this user: whoever shows it is told, once for each change. Errors are logged. */
  async look(user: string): Promise<void> {
    for (const document of this.#deps.documents.ofUser(user)) {
      const { id, mergeRequest } = document;
      try {
        const view = await this.#view(document);
        const text = JSON.stringify(view);
        if (this.#told.get(`${user}/${id}`) === text) continue;
        this.#told.set(`${user}/${id}`, text);
        this.changes.note(view);
        this.#deps.onChange(mergeRequest);
      } catch (error) {
        this.#deps.logger.warn(
          { user, preview: id, err: messageOf(error) },
          "previews could not be looked at",
        );
      }
    }
  }

  /**
   * Removes what is left of merge requests that are gone, and brings back what the others need; at the start and now and
   * then. `isOpen`: asks the host; `undefined` where it does not answer.
   */
  async tidy(isOpen?: (of: MergeRequestRef) => Promise<boolean | undefined>): Promise<void> {
    const { documents, compared, logger } = this.#deps;
    for (const document of documents.all()) {
      const { user, id, mergeRequest } = document;
      try {
        const gone = await this.#whyGone(document, isOpen);
        if (gone !== undefined) {
          logger.info({ user, preview: id, reason: gone }, "previews removed");
          await this.remove(mergeRequest);
        } else await this.#ensureSnapshots(document);
      } catch (error) {
        logger.warn(
          { user, preview: id, err: messageOf(error) },
          "previews could not be tidied; later again",
        );
      }
      await this.look(user);
    }
    await compared.sweep((user, id) => documents.get(user, id) !== undefined);
  }

  /** Snapshots that previews need, those included that the runner has not let go of yet. */
  async needs(): Promise<PinnedSnapshot[]> {
    const { documents, records } = this.#deps;
    const needs: PinnedSnapshot[] = [];
    for (const document of documents.all()) {
      for (const twin of await this.#open(document)) needs.push(twin.own, ...twin.shared);
    }
    for (const record of await records.all()) needs.push(...record.needs);
    return needs;
  }

  async #wantOf(wanted: PreviewsWanted, source: PreviewSource): Promise<void> {
    const { documents, nudgeUser } = this.#deps;
    const { user } = source;
    const id = previewId(wanted, source.instead === undefined);
    const before = documents.get(user, id);
    if (!before && documents.ofUser(user).length >= maxMergeRequests) {
      throw new ActionNeededError(
        "TOO_MANY_PREVIEWS",
        `${maxMergeRequests} merge requests have previews of ${user}`,
        {
          hint: "merge or close some of them",
        },
      );
    }
    const resolved = await this.#resolve(source);
    const now = new Date().toISOString();
    const twins = await Promise.all(
      resolved.previews.map((preview) => this.#asWanted(wanted, { ...preview, id, user }, before, now)),
    );
    const refused = resolved.refused.map((one) => ({ ...one, commit: wanted.commit }));
    if (twins.length + refused.length === 0) {
      if (before) await this.#drop(before);
      return;
    }
    const { projectId, projectPath, iid } = wanted;
    const mergeRequest = { projectId, projectPath, iid };
    const next: WantedPreviews = { version: 1, user, id, mergeRequest, wantedAt: now, twins, refused };
    if (before && isSame(before, next)) return;
    await this.#ensureSnapshots(next);
    await documents.put(next);
    nudgeUser(user);
  }

  /** The same wish again is the one that stands: with its time, and with the shared assets that it saw. */
  async #asWanted(
    wanted: PreviewsWanted,
    { user, id, ...preview }: Resolved["previews"][number] & { user: string; id: string },
    before: WantedPreviews | undefined,
    now: string,
  ): Promise<WantedPreview> {
    const { commit, again } = wanted;
    const last = before?.twins.find((twin) => twin.name === preview.name && twin.commit === commit);
    if (!last) return { ...preview, commit, attempt: 1, wantedAt: now };
    const seen = seenOf(last, await this.#deps.records.get(user, id));
    if (!again || !seen || !isOver(seen)) return last;
    return { ...preview, commit, attempt: last.attempt + 1, wantedAt: now };
  }

  /** A tree that may not be checked out is the merge request's fault, and said so. */
  async #resolve(source: PreviewSource): Promise<Resolved> {
    try {
      const resolved = await resolvePreviews(this.#deps, source);
      const [one] = resolved.previews;
      if (one) for (const pinned of [one.own, ...one.shared]) await this.#ensure(pinned);
      return resolved;
    } catch (error) {
      if (!(error instanceof ActionNeededError) || error.code !== "TREE_REFUSED") throw error;
      const reason = error.message;
      return { previews: [], refused: (source.twins ?? []).map((name) => ({ name, reason })) };
    }
  }

  async #drop(document: WantedPreviews): Promise<void> {
    await this.#deps.documents.remove(document);
    await this.#deps.compared.remove(document);
    this.#told.delete(`${document.user}/${document.id}`);
    this.changes.gone(document);
    this.#deps.nudgeUser(document.user);
  }

  async #view(document: WantedPreviews): Promise<PreviewsView> {
    const { records, comparisons } = this.#deps;
    const record = await records.get(document.user, document.id);
    const compared = await Promise.all(
      document.twins.map((twin) => comparisons.of(document, twin, seenOf(twin, record))),
    );
    return previewsView(document, record, compared);
  }

  async #whyGone(
    { mergeRequest, wantedAt, user }: WantedPreviews,
    isOpen: ((of: MergeRequestRef) => Promise<boolean | undefined>) | undefined,
  ): Promise<string | undefined> {
    const { tracked } = this.#deps;
    const areThere = tracked.project(mergeRequest.projectPath) && tracked.projectOf(user);
    if (tracked.isListed && !areThere) return "its project is gone";
    if (Date.now() - Date.parse(wantedAt) > maxAgeMs) return "nobody has asked for it for thirty days";
    if ((await isOpen?.(mergeRequest)) === false) return "its merge request is not open any more";
    return undefined;
  }

  async #open(document: WantedPreviews): Promise<WantedPreview[]> {
    const record = await this.#deps.records.get(document.user, document.id);
    return document.twins.filter((twin) => {
      const seen = seenOf(twin, record);
      return !seen || !isOver(seen);
    });
  }

  async #ensureSnapshots(document: WantedPreviews): Promise<void> {
    for (const twin of await this.#open(document)) {
      for (const pinned of [twin.own, ...twin.shared]) await this.#ensure(pinned);
    }
  }

  async #ensure({ project: path, commit }: PinnedSnapshot): Promise<void> {
    const project: ForgeProject | undefined = this.#deps.tracked.project(path);
    if (project) await this.#deps.snapshots.ensurePassing(project, commit);
  }

  #ofMergeRequest(of: MergeRequestRef, task: () => Promise<void>): Promise<void> {
    return this.#serial.run(keyOf(of), task);
  }
}

function keyOf({ projectId, iid }: MergeRequestRef): string {
  return `${projectId} ${iid}`;
}

function isSame(a: WantedPreviews, b: WantedPreviews): boolean {
  const essence = ({ wantedAt: _at, ...rest }: WantedPreviews) => JSON.stringify(rest);
  return essence(a) === essence(b);
}
