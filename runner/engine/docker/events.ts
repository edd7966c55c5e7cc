import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { EngineEvent } from "../engine.ts";
import { EventQueue } from "../event-queue.ts";
import { toEngineSince } from "./engine-time.ts";
import type { InspectedContainers } from "./inspected.ts";
import { fromEngineLabels, installationLabel, runLabel } from "./labels.ts";

const firstRetryMs = 100;
const lastRetryMs = 5_000;
const maxWaiting = 10_000; // more than this behind: forget them and look at everything
const maxLineBytes = 1024 * 1024;

const kinds: Record<string, EngineEvent["kind"]> = {
  start: "started",
  die: "exited",
  destroy: "removed",
  oom: "changed",
  update: "changed",
  pause: "changed",
  unpause: "changed",
  rename: "changed",
  connect: "changed",
  disconnect: "changed",
};

interface EventSource {
  docker: Docker;
  installation: string;
  inspected: InspectedContainers;
}

interface RawEvent {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  time: number;
  timeNano: number;
}

/**
 * One long-lived stream of what happens to our containers. It asks for events since the last one it saw, so a short
 * break loses nothing; `reconnected` follows every break all the same, since the engine keeps only a few.
 */
export function dockerEvents(docker: Docker, installation: string, inspected: InspectedContainers) {
  return (signal: AbortSignal): AsyncIterable<EngineEvent> => {
    const ended = new AbortController();
    const queue = new EventQueue<EngineEvent>({
      limit: maxWaiting,
      overflow: () => ({ kind: "reconnected" }),
      onEnd: () => ended.abort(),
    });
    if (signal.aborted) queue.end();
    else signal.addEventListener("abort", () => queue.end(), { once: true });
    void follow({ docker, installation, inspected }, queue, ended.signal).finally(() =>
      inspected.follow(false),
    );
    return queue;
  };
}

async function follow(
  { docker, installation, inspected }: EventSource,
  queue: EventQueue<EngineEvent>,
  signal: AbortSignal,
): Promise<void> {
  let sinceNano = BigInt(Date.now()) * 1_000_000n;
  let retryMs = firstRetryMs;
  let broken = false;
  while (!signal.aborted) {
    try {
      const stream = await docker.getEvents({
        since: toEngineSince(sinceNano),
        filters: JSON.stringify({ type: ["container", "network"], event: Object.keys(kinds) }),
        abortSignal: signal,
      } as object);
      inspected.follow(true);
      if (broken) queue.push({ kind: "reconnected" });
      broken = false;
      retryMs = firstRetryMs;
      for await (const line of lines(stream)) {
        const event = JSON.parse(line) as RawEvent;
        sinceNano = timeOf(line, event) + 1n;
        inspected.forget(containerOf(event));
        const mapped = await toEvent(docker, installation, event);
        if (mapped) queue.push(mapped);
      }
    } catch {
      // the engine went away or talked nonsense: connect anew
    }
    inspected.follow(false);
    if (!broken && !signal.aborted) queue.push({ kind: "disconnected" });
    broken = true;
    await delay(retryMs, undefined, { signal }).catch(() => {});
    retryMs = Math.min(retryMs * 2, lastRetryMs);
  }
}

async function toEvent(
  docker: Docker,
  installation: string,
  event: RawEvent,
): Promise<EngineEvent | undefined> {
  const kind = kinds[event.Action];
  if (!kind) return undefined;
  if (event.Type === "container") {
    const labels = event.Actor.Attributes;
    if (!isOurs(labels, installation)) return undefined;
    return { kind, container: { id: event.Actor.ID, labels: fromEngineLabels(labels) } };
  }
  // A network's event names only the container, so that its labels have to be asked for. One that has gone has
  // told so itself.
  const id = containerOf(event);
  if (id === "") return undefined;
  const inspected = await docker
    .getContainer(id)
    .inspect()
    .catch(() => undefined);
  const labels = inspected?.Config.Labels;
  if (!inspected?.State.Running || !labels || !isOurs(labels, installation)) return undefined;
  return { kind, container: { id, labels: fromEngineLabels(labels) } };
}

/** Empty where it is about none. */
function containerOf({ Type, Actor }: RawEvent): string {
  return Type === "container" ? Actor.ID : (Actor.Attributes["container"] ?? "");
}

function isOurs(labels: Record<string, string>, installation: string): boolean {
  return labels[installationLabel] === installation && labels[runLabel] !== undefined;
}

async function* lines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    rest += chunk.toString();
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > maxLineBytes) throw new Error("an event without an end");
    for (const part of parts) if (part !== "") yield part;
  }
}

/** `timeNano` is beyond what a JavaScript number holds exactly, so it is read from the text. */
function timeOf(line: string, event: RawEvent): bigint {
  const exact = /"timeNano":(\d+)/.exec(line)?.[1];
  return exact === undefined ? BigInt(event.time) * 1_000_000_000n : BigInt(exact);
}
