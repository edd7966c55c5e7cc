import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { isUnreadable } from "#core/read-or-set-aside";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import { checkDesiredState } from "#schemas/documents/check-documents";
import { listFolder } from "../runs/run-store.ts";

/** The desired-state documents on disk, read again only when they have been replaced. */
export class DesiredStore {
  readonly #data: DataFolder;
  readonly #cache = new Map<string, { stamp: string; state: DesiredState }>();

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
      this.#cache.delete(user);
      return undefined;
    }
    const stamp = `${found.ino}:${found.mtimeNs}:${found.size}`;
    const cached = this.#cache.get(user);
    if (cached?.stamp === stamp) return cached.state;
    const state = checkDesiredState(await readJson(path).catch(noJson), path);
    this.#cache.set(user, { stamp, state });
    return state;
  }

  /** Users with a twin that depends on one of these, `user/twin`. */
  async dependents(twins: ReadonlySet<string>): Promise<string[]> {
    const found: string[] = [];
    for (const user of await this.users()) {
      const state = await this.get(user).catch(unreadable);
      const depends = state?.twins.some((twin) => dependencies(user, twin).some((name) => twins.has(name)));
      if (depends) found.push(user);
    }
    return found;
  }
}

function noJson(error: unknown): never {
  if (!(error instanceof SyntaxError)) throw error;
  throw new ActionNeededError("DOCUMENT_INVALID", `a desired-state document is no JSON: ${error.message}`);
}

/** Of one user alone; everybody else is served all the same. */
function unreadable(error: unknown): undefined {
  if (!isUnreadable(error)) throw error;
}

/** The full names, `user/twin`, of what a twin depends on. */
export function dependencies(user: string, twin: DesiredTwin): string[] {
  return twin.spec.dependsOn.map((name) => (name.includes("/") ? name : `${user}/${name}`));
}
