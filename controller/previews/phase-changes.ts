import type { PreviewChange, PreviewsView } from "#schemas/preview-view";
import type { PreviewPhase } from "#schemas/previews";

type Listener = (change: PreviewChange) => void;

/** Tells whoever listens how previews go from one phase to another. */
export class PhaseChanges {
  readonly #last = new Map<string, ReadonlyMap<string, PreviewPhase>>();
  readonly #listeners = new Set<Listener>();

  /** Ends with what it returns. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How they are now. */
  note(view: PreviewsView): void {
    const { user, id } = view;
    const key = `${user}/${id}`;
    const before = this.#last.get(key);
    const now = new Map(view.twins.map(({ twin, phase }) => [twin, phase]));
    this.#last.set(key, now);
    for (const twin of new Set([...(before?.keys() ?? []), ...now.keys()])) {
      const from = before?.get(twin) ?? null;
      const phase = now.get(twin) ?? null;
      if (from === phase) continue;
      const reason = view.twins.find((one) => one.twin === twin)?.reason ?? null;
      this.#tell({ user, id, twin, from, phase, reason });
    }
  }

  gone({ user, id }: { user: string; id: string }): void {
    const key = `${user}/${id}`;
    for (const [twin, from] of this.#last.get(key) ?? []) {
      this.#tell({ user, id, twin, from, phase: null, reason: null });
    }
    this.#last.delete(key);
  }

  #tell(change: PreviewChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
