import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { accessLevels } from "../auth/decide.ts";
import type { Forge } from "../forge/forge.ts";
import type { WorkspaceBook } from "./workspace-book.ts";

/**
 * Stops the workspaces of users who are no developers of their project any more, or whose project has gone. Called now and
 * then; a Git host that cannot be asked stops nobody's work.
 */
export async function stopUnentitled(
  book: Pick<WorkspaceBook, "users" | "request" | "stop">,
  forge: Pick<Forge, "project" | "accessLevel">,
  logger: Logger,
): Promise<void> {
  for (const user of await book.users()) {
    try {
      const request = await book.request(user);
      if (request?.state !== "running") continue;
      const project = await forge.project(request.repository.project);
      const level = project ? await forge.accessLevel(project, request.owner.id) : 0;
      if (level >= accessLevels.developer) continue;
      await book.stop(user, "the platform");
      logger.info({ user, level }, "workspace stopped: its user is no developer of the project any more");
    } catch (error) {
      logger.warn(
        { user, err: messageOf(error) },
        "who may use a workspace could not be asked; tried again soon",
      );
    }
  }
}
