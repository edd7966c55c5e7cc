import type { EngineEvent } from "../engine/engine.ts";

/**
 * Whether somebody has to be looked at for this event. That a container runs which this process is starting is no news,
 * nor is that the engine connects it to its network on the way. `starting`: ids of such containers; one is taken out
 * when the engine has told of its start.
 */
export function isNews(starting: Set<string>, { kind, container }: Required<EngineEvent>): boolean {
  if (kind === "started") return !starting.delete(container.id);
  return kind !== "changed" || !starting.has(container.id);
}
