import type { LayerRef, Layers } from "../engine/engine.ts";
import { parseLayerId } from "./names.ts";

/**
 * The layers of twins, listed by the engine once and followed from then on: only this process makes and removes them.
 * `refresh` is called now and then, for what somebody has removed by hand.
 */
export class KnownLayers {
  readonly #layers: Layers;
  #byUser: Promise<Map<string, Map<string, { twin: string; key: string }>>> | undefined;

  constructor(layers: Layers) {
    this.#layers = layers;
  }

  async ofUser(user: string): Promise<{ twin: string; key: string }[]> {
    return [...((await this.#known()).get(user)?.values() ?? [])];
  }

  async ensure(id: string, lowerFolder: string): Promise<LayerRef> {
    const ref = await this.#layers.ensure(id, lowerFolder);
    add(await this.#known(), id);
    return ref;
  }

  async remove(id: string): Promise<void> {
    await this.#layers.remove(id);
    const parsed = parseLayerId(id);
    if (parsed) (await this.#known()).get(parsed.user)?.delete(id);
  }

  /** Lists them again at next need. */
  refresh(): void {
    this.#byUser = undefined;
  }

  #known(): Promise<Map<string, Map<string, { twin: string; key: string }>>> {
    if (this.#byUser) return this.#byUser;
    const listing = this.#layers.list().then((ids) => {
      const byUser = new Map<string, Map<string, { twin: string; key: string }>>();
      for (const id of ids) add(byUser, id);
      return byUser;
    });
    this.#byUser = listing;
    listing.catch(() => {
      if (this.#byUser === listing) this.#byUser = undefined; // asked again at next need
    });
    return listing;
  }
}

function add(byUser: Map<string, Map<string, { twin: string; key: string }>>, id: string): void {
  const parsed = parseLayerId(id);
  if (!parsed) return;
  const { user, twin, key } = parsed;
  const mine = byUser.get(user) ?? new Map<string, { twin: string; key: string }>();
  mine.set(id, { twin, key });
  byUser.set(user, mine);
}
