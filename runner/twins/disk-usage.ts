import type { DesiredTwin } from "#schemas/desired-state";
import type { Layers } from "../engine/engine.ts";
import { layerId } from "./names.ts";

/** What layers with a limit take on disk, as measured last. */
export class DiskUsage {
  readonly #layers: Pick<Layers, "usage">;
  readonly #known = new Map<string, number>();
  /** Measurements under way. One that began before its layer was forgotten may have seen what is no longer there. */
  readonly #underway = new Set<{ layer: string; isStale: boolean }>();

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
    for (const one of this.#underway) if (one.layer === layer) one.isStale = true;
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
    const mine = { layer, isStale: false };
    this.#underway.add(mine);
    try {
      const bytes = await this.#layers.usage(layer);
      if (mine.isStale) return await this.#measure(layer);
      this.#known.set(layer, bytes);
      return bytes;
    } finally {
      this.#underway.delete(mine);
    }
  }
}
