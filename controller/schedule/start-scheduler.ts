import type { DataFolder } from "#core/data-folder";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { logSetAside } from "#core/read-or-set-aside";
import { runArchive } from "../reading/run-archive.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { RequestBook } from "../requests/request-book.ts";
import { ScheduleMemory } from "./schedule-memory.ts";
import { Scheduler, type SchedulerDeps } from "./scheduler.ts";

/** Puts the scheduler together and starts it. `close` ends it; what is due meanwhile is made up for by the next one. */
export function startScheduler(parts: {
  data: DataFolder;
  desired: SchedulerDeps["desired"];
  documents: StoredDocuments;
  logger: Logger;
  nudgeUser(user: string): void;
}): Scheduler {
  const { data, desired, documents, logger } = parts;
  const runs = runArchive(data, (path, error) =>
    logger.error({ path, err: messageOf(error) }, "a document cannot be read; it is left out"),
  );
  const requests = new RequestBook({
    data,
    documents,
    runs,
    onSetAside: logSetAside(logger),
    nudgeUser: async (user) => parts.nudgeUser(user),
    onNudgeFailed: (user, error) =>
      logger.warn({ user, err: messageOf(error) }, "the runner could not be told; it will look by itself"),
  });
  const memory = new ScheduleMemory(data);
  const scheduler = new Scheduler({ desired, memory, requests, logger, now: () => Date.now() });
  scheduler.start();
  return scheduler;
}
