import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "#core/errors";
import type { HealthFact } from "#planning/facts";
import type { HealthSpec } from "#schemas/twin-spec";
import type { Containers } from "../engine/engine.ts";

// Until a container has been healthy once it is asked this often, whatever its interval: starting is what people wait for.
const startingIntervalMs = 250;

/** Asks running containers how they are, each in a loop of its own, and says when an answer changes. */
export class HealthMonitor {
  readonly #containers: Containers;
  readonly #onChange: (user: string) => void;
  readonly #watched = new Map<string, { stop: AbortController; fact: HealthFact }>();
  readonly #facts = new Map<string, HealthFact>();

  constructor(containers: Containers, onChange: (user: string) => void) {
    this.#containers = containers;
    this.#onChange = onChange;
  }

  /** What is known now, by container. */
  facts(): ReadonlyMap<string, HealthFact> {
    return this.#facts;
  }

  /** `before`: what was known of it when this process began to watch. */
  watch(containerId: string, user: string, health: HealthSpec, before: "unknown" | "healthy"): void {
    if (this.#watched.has(containerId)) return;
    const entry = { stop: new AbortController(), fact: { state: before } as HealthFact };
    this.#watched.set(containerId, entry);
    this.#facts.set(containerId, entry.fact);
    void this.#loop(containerId, user, health, entry).catch(() => undefined); // ends with its signal
  }

  /** Keeps only these. */
  retain(containerIds: ReadonlySet<string>): void {
    for (const [id, { stop }] of this.#watched) {
      if (containerIds.has(id)) continue;
      stop.abort();
      this.#watched.delete(id);
      this.#facts.delete(id);
    }
  }

  unwatch(containerId: string): void {
    this.#watched.get(containerId)?.stop.abort();
    this.#watched.delete(containerId);
    this.#facts.delete(containerId);
  }

  close(): void {
    this.retain(new Set());
  }

  async #loop(
    containerId: string,
    user: string,
    health: HealthSpec,
    entry: { stop: AbortController; fact: HealthFact },
  ): Promise<void> {
    const { signal } = entry.stop;
    let failures = 0;
    while (!signal.aborted) {
      const problem = await this.#probe(containerId, health, signal);
      if (signal.aborted) return;
      failures = problem === undefined ? 0 : failures + 1;
      const before = entry.fact;
      if (problem === undefined) entry.fact = { state: "healthy" };
      else if (before.state !== "unknown" && failures >= health.retries)
        entry.fact = { state: "unhealthy", reason: problem };
      else if (before.state === "unknown") entry.fact = { state: "unknown", reason: problem };
      this.#facts.set(containerId, entry.fact);
      if (entry.fact.state !== before.state) this.#onChange(user);
      const starting = entry.fact.state === "unknown";
      await sleep(starting ? Math.min(startingIntervalMs, health.intervalMs) : health.intervalMs, undefined, {
        signal,
      });
    }
  }

  /** `undefined`: healthy; otherwise what is wrong. */
  async #probe(containerId: string, health: HealthSpec, signal: AbortSignal): Promise<string | undefined> {
    try {
      if (health.exec) {
        const code = await this.#containers.exec(containerId, health.exec, health.timeoutMs);
        return code === 0 ? undefined : `health command ended with exit code ${code}`;
      }
      if (!health.http) return undefined;
      const endpoint = await this.#containers.endpoint(containerId, health.http.port);
      if (!endpoint) return "the container has no network address yet";
      const url = `http://${endpoint.host}:${endpoint.port}${health.http.path}`;
      const answer = await fetch(url, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(health.timeoutMs)]),
        redirect: "manual",
      });
      await answer.body?.cancel();
      return answer.status < 400
        ? undefined
        : `health check on port ${health.http.port} answered ${answer.status}`;
    } catch (error) {
      const what = health.http
        ? `health check on port ${health.http.port}${health.http.path}`
        : "health command";
      const cause =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
      return `${what} failed: ${cause}`;
    }
  }
}
