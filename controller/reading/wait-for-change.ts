import { watch } from "node:fs";

export interface Change {
  /** Resolves; never rejects. */
  happened: Promise<void>;
  /** Ends the waiting at once. */
  forget(): void;
}

/**
 * Begins to wait for something in a folder to change; it is over after `atMostMs` or when the signal aborts, too.
 * Begin before looking, so that what happens meanwhile is not missed. File system events are a hint only (they get
 * lost, and a folder may not be there yet): look again afterwards.
 */
export function waitForChange(folder: string, options: { atMostMs: number; signal: AbortSignal }): Change {
  let forget: () => void = () => undefined;
  const happened = new Promise<void>((resolve) => {
    const stop = new AbortController();
    forget = () => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", forget);
      stop.abort();
      resolve();
    };
    const timer = setTimeout(forget, options.atMostMs);
    options.signal.addEventListener("abort", forget, { once: true });
    if (options.signal.aborted) return forget();
    try {
      const watcher = watch(folder, { signal: stop.signal, persistent: false });
      watcher.on("change", forget);
      watcher.on("error", () => undefined); // the timer still comes
    } catch {
      // no such folder yet, or no watches left: the timer still comes
    }
  });
  return { happened, forget };
}
