import { messageOf } from "#core/errors";
import type { Container } from "../engine/engine.ts";
import { fingerprintOf } from "./observe.ts";
import type { Runner } from "./runner.ts";

/**
 * Everybody with a document, with containers, or with something published; or of these only who has other containers
 * than were seen at the last look, or was never looked at. Does not throw: of an engine that does not answer everybody
 * is told.
 */
export async function everybody(
  runner: Pick<Runner, "desired" | "published" | "engine" | "seen" | "logger">,
  which: "all" | "not as seen" = "all",
): Promise<string[]> {
  const users = new Set([...(await runner.desired.users()), ...runner.published.users()]);
  try {
    const byUser = new Map<string, Container[]>();
    for (const container of await runner.engine.containers.list()) {
      const { user } = container.labels;
      const mine = byUser.get(user) ?? [];
      mine.push(container);
      byUser.set(user, mine);
      users.add(user);
    }
    if (which === "all") return [...users];
    return [...users].filter((user) => runner.seen.get(user) !== fingerprintOf(byUser.get(user) ?? []));
  } catch (error) {
    runner.logger.warn({ err: messageOf(error) }, "the engine does not answer");
    return [...users];
  }
}
