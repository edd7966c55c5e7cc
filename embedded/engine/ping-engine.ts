import { isSystemError, messageOf } from "#core/errors";
import { callEngine } from "./call-engine.ts";
import type { EngineAddress } from "./engine-address.ts";

export type EngineState =
  | { state: "up"; version: string }
  /** `refused`: it is there, and this user may not talk to it. */
  | { state: "absent" | "refused"; reason: string };

const answerMs = 5_000; // an engine under load answers in well under a second

/** Whether an engine answers there. Never throws. */
export async function pingEngine(address: EngineAddress): Promise<EngineState> {
  try {
    const answer = await callEngine(address, { method: "GET", path: "/version", idleMs: answerMs });
    if (answer.status !== 200) return { state: "absent", reason: `it answered ${answer.status}` };
    const version: unknown = (JSON.parse(answer.text) as { Version?: unknown }).Version;
    return { state: "up", version: typeof version === "string" ? version : "unknown" };
  } catch (error) {
    const refused = isSystemError(error, "EACCES") || isSystemError(error, "EPERM");
    return { state: refused ? "refused" : "absent", reason: messageOf(error) };
  }
}

/** Names of the containers that run now, of anybody. */
export async function runningContainers(address: EngineAddress): Promise<string[]> {
  const answer = await callEngine(address, { method: "GET", path: "/containers/json", idleMs: answerMs });
  if (answer.status !== 200) throw new Error(`the engine answered ${answer.status}: ${answer.text.trim()}`);
  const containers = JSON.parse(answer.text) as { Id: string; Names?: string[] }[];
  return containers.map((container) => container.Names?.[0]?.replace(/^\//, "") ?? container.Id.slice(0, 12));
}
