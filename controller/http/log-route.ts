import { type DataFolder, runFolder } from "#core/data-folder";
import type { RunArchive } from "../reading/run-archive.ts";
import type { ApiRoute } from "./api-route.ts";
import type { Streams } from "./event-stream.ts";
import { noRun } from "./not-there.ts";
import { runIn } from "./read-request.ts";
import { sendLog } from "./send-log.ts";

export interface LogRouteDeps {
  data: DataFolder;
  runs: RunArchive;
  streams: Streams;
}

/** The log of a run; see `sendLog`. */
export function logRoute({ data, runs, streams }: LogRouteDeps): ApiRoute {
  return {
    method: "get",
    path: "/twins/{user}/{twin}/runs/{id}/log",
    action: "see",
    resource: "user",
    handle: async (request, response) => {
      const { user, twin, id } = runIn(request);
      const look = async () => {
        const found = await runs.get(user, twin, id);
        return found && { ...found, hasEnded: found.state === "ended" };
      };
      if (!(await look())) throw noRun({ user, twin, id });
      const folder = runFolder(data, user, twin, id);
      await sendLog(request, response, { run: { folder, look }, streams });
    },
  };
}
