import type { DesiredTwin } from "#schemas/desired-state";
import type { Layers } from "../engine/engine.ts";
import { layerId } from "./names.ts";

/** What layers with a limit take on disk, as measured last. */
export class DiskUsage {
  readonly #layers: Pick<Layers, "usage">;
  readonly #known = new Map<string, number>();

  constructor(layers: Pick<Layers, "usage">) {
    this.#layers = layers;
  }

  /** Measured now if it never was, so that a full layer is known before anything is started on it. */
  async of(layer: string): Promise<number> {
    return this.#known.get(layer) ?? (await this.#measure(layer));
  }

  /** Measured now. */
  async again(layer: string): Promise<number> {
    return await this.#measure(layer);
  }

  forget(layer: string): void {
    this.#known.delete(layer);
  }

  /** Measures every limited layer of a user. True when one has passed its limit, or has room again. */
  async look(user: string, sources: readonly DesiredTwin[]): Promise<boolean> {
    let isNews = false;
    for (const { name, sourceKey, spec } of sources) {
      const limit = spec.resources.diskBytes;
      if (limit === undefined) continue;
      const layer = layerId(user, name, sourceKey);
      const before = this.#known.get(layer) ?? 0;
      const after = await this.#measure(layer);
      if (before > limit !== after > limit) isNews = true;
    }
    return isNews;
  }

  async #measure(layer: string): Promise<number> {
    const bytes = await this.#layers.usage(layer);
    this.#known.set(layer, bytes);
    return bytes;
  }
}
