import type { DataFolder } from "#core/data-folder";
import type { Logger } from "#core/logger";
import type { Engine } from "../engine.ts";
import { probeBubblewrap } from "./bubblewrap.ts";
import { processContainers } from "./containers.ts";
import { processEvents } from "./events.ts";
import { processInside } from "./inside.ts";
import { processLayers } from "./layers.ts";
import { processLogs } from "./logs.ts";
import { machineImages } from "./machine-workspace.ts";
import { processNetworks } from "./networks.ts";
import { RunFiles } from "./run-files.ts";

export interface ProcessEngineOptions {
  installation: string;
  dataFolder: DataFolder;
  logger: Logger;
  /** `auto`: bubblewrap where it works. */
  isolation?: "auto" | "none";
  /** The one user whose commands are run; absent: everybody's. */
  onlyUser?: string;
}

/**
 * An engine without containers: twins are child processes of this machine, each with a supervisor of its own that
 * outlives the runner. They are kept apart by bubblewrap where it works, and else not at all.
 */
export function createProcessEngine(options: ProcessEngineOptions): Engine {
  const { dataFolder: data, logger } = options;
  const files = new RunFiles(data.engine);
  const closed = new AbortController();
  let probed: Promise<Awaited<ReturnType<typeof probeBubblewrap>>> | undefined;
  const probe = () => {
    probed ??=
      options.isolation === "none" ? Promise.resolve({ reason: "switched off" }) : tryBubblewrap(logger);
    return probed;
  };

  const runs = async () => {
    const ids = await files.ids();
    return (await Promise.all(ids.map((id) => files.run(id)))).flatMap((run) => run?.spec ?? []);
  };
  const layers = processLayers(files.layers, async (id) =>
    (await runs()).some(({ layer }) => layer.id === id),
  );
  const containers = processContainers({
    files,
    data,
    layers,
    isolates: async () => "version" in (await probe()),
    onlyUser: options.onlyUser,
  });

  return {
    name: "process",
    runsBeside: false,
    placesFolders: false,
    async ping() {
      const found = await probe();
      return { version: "version" in found ? found.version : "processes, not isolated" };
    },
    containers: {
      ...containers,
      ...processInside(files),
      events: (signal) => processEvents(files, AbortSignal.any([signal, closed.signal])),
      logs: processLogs(files),
    },
    images: machineImages(),
    networks: processNetworks(files.networks, options.installation, async (network) => {
      const all = await containers.list();
      const running = new Set(all.filter(({ state }) => state === "running").map(({ id }) => id));
      return (await runs()).some((spec) => spec.network === network && running.has(spec.name));
    }),
    layers: { ensure: layers.ensure, remove: layers.remove, list: layers.list, usage: layers.usage },
    close() {
      closed.abort();
      return Promise.resolve();
    },
  };
}

async function tryBubblewrap(logger: Logger): ReturnType<typeof probeBubblewrap> {
  const found = await probeBubblewrap();
  if ("reason" in found) logger.warn({ reason: found.reason }, "twins are not isolated from this machine");
  return found;
}
