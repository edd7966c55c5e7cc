import type Docker from "dockerode";
import type { Container } from "../engine.ts";

// What nobody has told of, such as limits changed while an event was lost, is seen after this at the latest.
const keptMs = 10 * 60_000;

interface Entry {
  summary: string;
  container: Container;
  atMs: number;
}

/**
 * What was found by inspecting running containers. It is believed only while the engine's events are followed, none has
 * come about the container since, and the list shows the same name, state and networks as then. So a look costs one
 * call of the engine, not one for each container.
 */
export class InspectedContainers {
  readonly #entries = new Map<string, Entry>();
  #isFollowed = false;
  #events = 0;

  get(found: Docker.ContainerInfo): Container | undefined {
    const entry = this.#entries.get(found.Id);
    if (!entry || !this.#isFollowed || Date.now() - entry.atMs > keptMs) return undefined;
    return entry.summary === summaryOf(found) ? entry.container : undefined;
  }

  /** Call before inspecting, and the returned function with what was found: it is kept unless an event came meanwhile. */
  begin(found: Docker.ContainerInfo): (container: Container) => void {
    const events = this.#events;
    return (container) => {
      if (!this.#isFollowed || events !== this.#events || container.state !== "running") return;
      this.#entries.set(found.Id, { summary: summaryOf(found), container, atMs: Date.now() });
    };
  }

  /** Something happened to it, as an event says. */
  forget(id: string): void {
    this.#events += 1;
    this.#entries.delete(id);
  }

  /** From now on events are followed, or no longer. */
  follow(isFollowed: boolean): void {
    this.#isFollowed = isFollowed;
    this.#events += 1;
    this.#entries.clear();
  }
}

function summaryOf({ Names, State, NetworkSettings }: Docker.ContainerInfo): string {
  const networks = Object.entries(NetworkSettings?.Networks ?? {}).map(
    ([name, { NetworkID, EndpointID }]) => `${name} ${NetworkID} ${EndpointID}`,
  );
  return JSON.stringify([Names, State, networks.sort()]);
}
