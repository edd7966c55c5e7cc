import type { LogLine } from "#schemas/run";
import type { Container, ContainerSpec } from "../engine.ts";
import type { FakeBehaviour, FakeWorld } from "./fake-world.ts";

/** One pretended container of a `FakeWorld`. */
export class FakeContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  state: Container["state"] = "created";
  changed = false;
  readonly lines: LogLine[] = [];
  /** Files outside the layer, by absolute path. */
  readonly files = new Map<string, string>();
  readonly #world: FakeWorld;
  readonly #ended: (() => void)[] = [];
  readonly #onLine = new Set<() => void>();
  #behaviour: FakeBehaviour = {};
  #timers: NodeJS.Timeout[] = [];
  #lastNano = 0n;
  #exit: { exitCode: number; outOfMemory: boolean } | undefined;
  #startedAt: string | undefined;
  #finishedAt: string | undefined;

  constructor(id: string, spec: ContainerSpec, world: FakeWorld) {
    this.id = id;
    this.spec = spec;
    this.#world = world;
  }

  start(): void {
    if (this.state === "running") return;
    this.state = "running";
    this.#exit = undefined;
    this.#startedAt = this.#now();
    const run = this.spec.labels.run;
    this.#world.starts.set(run, (this.#world.starts.get(run) ?? 0) + 1);
    this.#behaviour = this.#world.rules.behaviour?.(this.spec) ?? {};
    for (const [path, content] of Object.entries(this.#behaviour.writes ?? {})) this.write(path, content);
    this.#world.emit("started", this);
    for (const line of this.#behaviour.lines ?? []) {
      this.#later(line.afterMs ?? 0, () => this.print(line.text, line.stream ?? "out"));
    }
    const { exitAfterMs, exitCode = 0, outOfMemory = false } = this.#behaviour;
    if (exitAfterMs !== undefined) this.#later(exitAfterMs, () => this.end({ exitCode, outOfMemory }));
  }

  /** Resolves once it has ended. */
  async stop(graceMs: number): Promise<void> {
    if (this.state !== "running" && this.state !== "paused") return;
    const ended = new Promise<void>((resolve) => this.#ended.push(resolve));
    if (this.#behaviour.ignoresStop) this.#later(graceMs, () => this.end({ exitCode: 137 }));
    else this.end({ exitCode: 143 });
    await ended;
  }

  end(how: { exitCode: number; outOfMemory?: boolean; silently?: boolean }): void {
    if (this.state !== "running" && this.state !== "paused") return;
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    this.state = "exited";
    this.#exit = { exitCode: how.exitCode, outOfMemory: how.outOfMemory ?? false };
    this.#finishedAt = this.#now();
    for (const resolve of this.#ended.splice(0)) resolve();
    this.#wake();
    if (!how.silently) this.#world.emit("exited", this);
  }

  print(text: string, stream: "out" | "err" = "out"): void {
    this.lines.push({ at: this.#now(), stream, text });
    this.#wake();
  }

  write(path: string, content: string): void {
    const layer = this.#world.layers.get(this.spec.layer.id);
    if (path.startsWith("/workspace/") && layer) layer.files.set(path.slice("/workspace/".length), content);
    else this.files.set(path, content);
  }

  /** Resolves when there may be a new line, or it has ended, or the signal says stop. */
  waitForLine(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#onLine.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#onLine.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  inspect(): Container {
    const exited = this.state === "exited";
    return {
      id: this.id,
      name: this.spec.name,
      labels: { ...this.spec.labels },
      state: this.state,
      ...(exited && this.#exit ? this.#exit : {}),
      ...(this.#startedAt === undefined ? {} : { startedAt: this.#startedAt }),
      ...(exited && this.#finishedAt !== undefined ? { finishedAt: this.#finishedAt } : {}),
      imageId: this.spec.imageId,
      changed: this.changed && !exited,
    };
  }

  #later(ms: number, action: () => void): void {
    if (ms <= 0) action();
    else this.#timers.push(setTimeout(action, ms).unref());
  }

  #wake(): void {
    for (const wake of [...this.#onLine]) wake();
  }

  /** Strictly growing, with nanoseconds, as an engine's clock. */
  #now(): string {
    const wall = BigInt(Date.now()) * 1_000_000n;
    this.#lastNano = wall > this.#lastNano ? wall : this.#lastNano + 1n;
    const iso = new Date(Number(this.#lastNano / 1_000_000n)).toISOString();
    return `${iso.slice(0, 23)}${String(this.#lastNano % 1_000_000n).padStart(6, "0")}Z`;
  }
}
