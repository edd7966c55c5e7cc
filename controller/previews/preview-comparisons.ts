import { join } from "node:path";
import { type DataFolder, previewedFolder, runFolder } from "#core/data-folder";
import { SerialByKey } from "#core/serial-by-key";
import { isOver, type ObservedPreview, type WantedPreview } from "#schemas/previews";
import type { RunArchive } from "../reading/run-archive.ts";
import { comparePreview, countedRuns, type KeptRun, operationOf } from "./compare/compare-preview.ts";
import type { ComparisonStore } from "./comparison-store.ts";
import type { Comparison } from "./previews.ts";

// How far back the last successful run of a live twin is looked for.
const maxRunsLookedAt = 500;
const pageOfRuns = 50;

export interface ComparisonDeps {
  data: DataFolder;
  runs: Pick<RunArchive, "list">;
  store: ComparisonStore;
}

/** The comparisons of previews: worked out when one has ended, again when the live twin has run since, and kept. */
export class PreviewComparisons {
  readonly #deps: ComparisonDeps;
  readonly #serial = new SerialByKey();

  constructor(deps: ComparisonDeps) {
    this.#deps = deps;
  }

  /** None before it has ended. */
  of(
    owner: { user: string; id: string },
    wanted: WantedPreview,
    seen: ObservedPreview | undefined,
  ): Promise<Comparison[]> {
    if (!seen || !isOver(seen) || wanted.compare.length === 0) return Promise.resolve([]);
    return this.#serial.run(`${owner.user}/${owner.id}`, () => this.#of(owner, wanted, seen));
  }

  async #of(
    owner: { user: string; id: string },
    wanted: WantedPreview,
    seen: ObservedPreview,
  ): Promise<Comparison[]> {
    const { user, id } = owner;
    const stored = await this.#deps.store.get(user, id);
    const known = stored.find(({ name }) => name === wanted.name);
    const what = JSON.stringify([wanted.commit, wanted.attempt, wanted.compare]);
    // Its files have gone; what was worked out before stands.
    if (seen.phase === "expired" && known?.from.startsWith(what)) return known.comparisons;
    const preview = this.#previewRuns(owner, wanted, seen);
    const live = await this.#liveRuns(user, wanted);
    const from = `${what} ${JSON.stringify([idsOf(preview), idsOf(live)])}`;
    if (known?.from === from) return known.comparisons;
    const comparisons = await comparePreview(wanted, { preview, live });
    const others = stored.filter(({ name }) => name !== wanted.name);
    await this.#deps.store.put(user, id, [...others, { name: wanted.name, from, comparisons }]);
    return comparisons;
  }

  #previewRuns(owner: { user: string; id: string }, wanted: WantedPreview, seen: ObservedPreview) {
    const folder = join(previewedFolder(this.#deps.data, owner), wanted.name);
    const runs = new Map<string, KeptRun>();
    for (const [operation, run] of countedRuns(seen))
      runs.set(operation, { id: run, folder: join(folder, run) });
    return runs;
  }

  async #liveRuns(user: string, wanted: WantedPreview): Promise<Map<string, KeptRun>> {
    const runs = new Map<string, KeptRun>();
    for (const { file } of wanted.compare) {
      const operation = operationOf(wanted, file);
      if (operation === undefined || runs.has(operation)) continue;
      const id = await this.#lastSuccess(user, wanted.name, operation);
      if (id !== undefined) {
        runs.set(operation, { id, folder: runFolder(this.#deps.data, user, wanted.name, id) });
      }
    }
    return runs;
  }

  async #lastSuccess(user: string, twin: string, operation: string): Promise<string | undefined> {
    let before: string | undefined;
    for (let looked = 0; looked < maxRunsLookedAt; looked += pageOfRuns) {
      const page = { limit: pageOfRuns, ...(before === undefined ? {} : { before }) };
      const runs = await this.#deps.runs.list(user, twin, page);
      const found = runs.find((run) => run.operation === operation && run.outcome === "succeeded");
      if (found) return found.id;
      before = runs.at(-1)?.id;
      if (before === undefined || runs.length < pageOfRuns) return undefined;
    }
    return undefined;
  }
}

function idsOf(runs: ReadonlyMap<string, KeptRun>): string[] {
  return [...runs].map(([operation, { id }]) => `${operation} ${id}`).sort();
}
