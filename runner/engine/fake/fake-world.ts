import type { Container, ContainerSpec, EngineEvent, ImageRecipe } from "../engine.ts";
import type { EventQueue } from "../event-queue.ts";
import { FakeContainer } from "./fake-container.ts";

/** What a container does once it is started. Times are counted from the start. */
export interface FakeBehaviour {
  /** Absent: it runs for ever. */
  exitAfterMs?: number;
  exitCode?: number;
  outOfMemory?: boolean;
  lines?: { stream?: "out" | "err"; text: string; afterMs?: number }[];
  /** Files it leaves, by absolute path; those below /workspace go into the layer. */
  writes?: Record<string, string>;
  /** Only the forced signal ends it. */
  ignoresStop?: boolean;
}

export interface FakeBuild {
  lines?: string[];
  takesMs?: number;
  /** Set: the build fails with it. */
  failure?: string;
}

/** What a test may decide about the world, all of it changeable at any time. */
export interface FakeRules {
  /** What a container does; for ever running without it. */
  behaviour?: (spec: ContainerSpec) => FakeBehaviour;
  build?: (recipe: ImageRecipe) => FakeBuild;
  /** Exit code of a command run inside; 0 without it. */
  exec?: (container: FakeContainer, command: string[]) => number | Promise<number>;
  /** Where a port is reached; 127.0.0.1 and the same port without it. */
  endpoint?: (container: FakeContainer, port: number) => { host: string; port: number } | undefined;
  /** Called before each call of the engine, such as `containers.start`; what it throws or awaits, the caller sees. */
  before?: (method: string, argument: unknown) => void | Promise<void>;
}

/**
 * What an engine would hold: it outlives the engines made for it, so that a restart of the runner is closing one
 * engine and making another. Time is real; commands are only pretended.
 */
export class FakeWorld {
  readonly rules: FakeRules;
  /** The engine does not answer while this is set. */
  down = false;
  readonly containers = new Map<string, FakeContainer>();
  readonly networks = new Map<string, string>();
  /** Of previews, by scope. */
  readonly previewNetworks = new Map<string, string>();
  readonly layers = new Map<string, { lowerFolder: string; files: Map<string, string> }>();
  readonly images = new Map<string, { id: string; createdAt: string; bytes: number }>();
  readonly listeners = new Set<EventQueue<EngineEvent>>();
  /** How often a container of this run was really started. */
  readonly starts = new Map<string, number>();
  /** How often this recipe was really built. */
  readonly builds = new Map<string, number>();
  #ids = 0;

  constructor(rules: FakeRules = {}) {
    this.rules = rules;
  }

  newId(kind: string): string {
    this.#ids += 1;
    return `${kind}-${String(this.#ids).padStart(6, "0")}`;
  }

  emit(kind: EngineEvent["kind"], container?: FakeContainer): void {
    const event = container
      ? { kind, container: { id: container.id, labels: container.spec.labels } }
      : { kind };
    for (const listener of this.listeners) listener.push(event);
  }

  /** As after a broken connection; what happened meanwhile can be done silently before. */
  reconnect(): void {
    this.emit("reconnected");
  }

  addContainer(spec: ContainerSpec): FakeContainer {
    const container = new FakeContainer(this.newId("container"), structuredClone(spec), this);
    this.containers.set(container.id, container);
    return container;
  }

  /** The container that belongs to this run. */
  ofRun(runId: string): FakeContainer | undefined {
    return [...this.containers.values()].find((container) => container.spec.labels.run === runId);
  }

  /** As `docker kill` by a stranger. */
  killContainer(id: string, exitCode = 137): void {
    this.containers.get(id)?.end({ exitCode });
  }

  /** As `docker rm -f` by a stranger. */
  removeContainer(id: string): void {
    const container = this.containers.get(id);
    if (!container) return;
    container.end({ exitCode: 137 });
    this.containers.delete(id);
    this.emit("removed", container);
  }

  /** As `docker update` by a stranger. */
  changeContainer(id: string): void {
    const container = this.containers.get(id);
    if (!container) return;
    container.changed = true;
    this.emit("changed", container);
  }

  /** Everybody's containers, or one user's; those of previews are seen apart. */
  snapshot(user?: string, which: "twins" | "previews" = "twins"): Container[] {
    return [...this.containers.values()]
      .filter(({ spec: { labels } }) => (labels.preview !== undefined) === (which === "previews"))
      .filter(({ spec: { labels } }) => user === undefined || labels.user === user)
      .map((container) => container.inspect());
  }

  /** Ends every container without an event, as a power cut does. */
  powerCut(): void {
    for (const container of this.containers.values()) container.end({ exitCode: 137, silently: true });
  }
}
