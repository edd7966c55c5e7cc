import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import { checkDesiredState } from "#schemas/documents/check-documents";
import { listFolder } from "../runs/run-store.ts";

/** The desired-state documents on disk, read again only when they have been replaced. */
export class DesiredStore {
  readonly #data: DataFolder;
  readonly #cache = new Map<string, { stamp: string; state: DesiredState }>();
  /** Who depends on `user/twin`, as the documents in the cache say. */
  readonly #dependents = new Map<string, Set<string>>();

  constructor(data: DataFolder) {
    this.#data = data;
  }

  async users(): Promise<string[]> {
    const names = await listFolder(this.#data.desired);
    return names.flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -".json".length)] : [])).sort();
  }

  /**
   * `undefined` where the user has none (any more). `ActionNeededError("DOCUMENT_INVALID")` for one that cannot be understood: its
   * twins stay as they are until the controller has made it again.
   */
  async get(user: string): Promise<DesiredState | undefined> {
    const path = join(this.#data.desired, `${user}.json`);
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (!found) {
      this.#keep(user, undefined);
      return undefined;
    }
    const stamp = `${found.ino}:${found.mtimeNs}:${found.size}`;
    const cached = this.#cache.get(user);
    if (cached?.stamp === stamp) return cached.state;
    const state = checkDesiredState(await readJson(path).catch(noJson), path);
    this.#keep(user, { stamp, state });
    return state;
  }

  /**
   * Users with a twin that depends on one of these, `user/twin`, by the documents read so far. Whoever has a newer one is
   * looked at for that reason, and sees then which twins are ready.
   */
  dependents(twins: ReadonlySet<string>): Set<string> {
    return new Set([...twins].flatMap((twin) => [...(this.#dependents.get(twin) ?? [])]));
  }

  #keep(user: string, entry: { stamp: string; state: DesiredState } | undefined): void {
    for (const name of dependenciesOf(user, this.#cache.get(user)?.state)) {
      const users = this.#dependents.get(name);
      users?.delete(user);
      if (users?.size === 0) this.#dependents.delete(name);
    }
    if (!entry) {
      this.#cache.delete(user);
      return;
    }
    this.#cache.set(user, entry);
    for (const name of dependenciesOf(user, entry.state)) {
      const users = this.#dependents.get(name) ?? new Set<string>();
      users.add(user);
      this.#dependents.set(name, users);
    }
  }
}

function dependenciesOf(user: string, state: DesiredState | undefined): string[] {
  return (state?.twins ?? []).flatMap((twin) => dependencies(user, twin));
}

function noJson(error: unknown): never {
  if (!(error instanceof SyntaxError)) throw error;
  throw new ActionNeededError("DOCUMENT_INVALID", `a desired-state document is no JSON: ${error.message}`);
}

/** The full names, `user/twin`, of what a twin depends on. */
export function dependencies(user: string, twin: DesiredTwin): string[] {
  return twin.spec.dependsOn.map((name) => (name.includes("/") ? name : `${user}/${name}`));
}
