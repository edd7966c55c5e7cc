import { mkdir } from "node:fs/promises";
import Docker from "dockerode";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Engine } from "../engine.ts";
import { dockerCi } from "./ci-containers.ts";
import { dockerContainers } from "./containers.ts";
import { toEngineError } from "./engine-error.ts";
import { dockerEvents } from "./events.ts";
import { dockerImages } from "./images.ts";
import { dockerInside } from "./inside.ts";
import { InspectedContainers } from "./inspected.ts";
import { dockerLayers } from "./layers.ts";
import { dockerLogs } from "./logs.ts";
import { dockerNetworks } from "./networks.ts";
import { overlayProbe } from "./overlay-probe.ts";
import { dockerWorkspaces } from "./workspaces.ts";
import { dockerWorktreeUsage } from "./worktree-usage.ts";

const pingDeadlineMs = 5_000;
const defaultSocket = "/var/run/docker.sock";
const defaultBaseImage = "dtaas/base:bookworm";
const defaultNetworkPool = "10.213.0.0/16"; // room for 1,024 networks

export interface DockerEngineOptions {
  /** Like `/var/run/docker.sock`. */
  socketPath?: string;
  /** Like `tcp://127.0.0.1:2375` or `unix:///var/run/docker.sock`; wins over `socketPath`. */
  dockerHost?: string;
  /** Lower-case letters, digits and dashes: keeps installations on one engine apart. */
  installation: string;
  /** IPv4 CIDR that user networks are cut from. */
  networkPool?: string;
  baseImage?: string;
  dataFolder: DataFolder;
  logger: Logger;
}

/** An engine that speaks to a Docker daemon. Nothing is asked of it before the first call of a method. */
export function createDockerEngine(options: DockerEngineOptions): Engine {
  const { installation, dataFolder, logger } = options;
  if (!/^[a-z0-9](?:-?[a-z0-9])*$/.test(installation) || installation.length > 32) {
    throw new ActionNeededError(
      "INSTALLATION_INVALID",
      `${JSON.stringify(installation)} cannot name an installation`,
      {
        hint: "use up to 32 lower-case letters, digits and single dashes",
      },
    );
  }
  const docker = new Docker(connection(options));
  const networks = dockerNetworks(docker, installation, options.networkPool ?? defaultNetworkPool);
  const images = dockerImages(docker, installation, {
    baseImage: options.baseImage ?? defaultBaseImage,
    buildNetwork: () => networks.forBuilds(),
  });
  const layers = dockerLayers(docker, installation, {
    folder: dataFolder.layers,
    overlayWorks: once(tryOverlay),
    image: () => images.base(),
  });
  const worktrees = dockerWorktreeUsage(docker, installation, {
    folder: dataFolder.worktrees,
    image: () => images.base(),
  });
  const closed = new AbortController();
  const inspected = new InspectedContainers();
  const events = dockerEvents(docker, installation, inspected);
  const { listPreviews, ...containers } = dockerContainers(
    docker,
    installation,
    (layer) => layers.mountOf(layer),
    inspected,
  );

  async function tryOverlay(): Promise<boolean> {
    await mkdir(dataFolder.layers, { recursive: true, mode: 0o711 });
    const imageId = await images.base();
    const works = await overlayProbe(docker, { installation, folder: dataFolder.layers, imageId });
    if (!works) logger.warn("overlays do not work here: layers of twins are plain copies of their snapshots");
    return works;
  }

  return {
    name: "docker",
    runsBeside: true,
    placesFolders: true,
    async ping(signal) {
      const deadline = AbortSignal.timeout(pingDeadlineMs);
      const abortSignal = signal ? AbortSignal.any([signal, deadline]) : deadline;
      try {
        // The client takes options here, its types do not know.
        const version = docker.version as (options: object) => Promise<Docker.DockerVersion>;
        return { version: (await version.call(docker, { abortSignal })).Version };
      } catch (error) {
        signal?.throwIfAborted();
        if (!deadline.aborted) throw toEngineError(error, "saying hello");
        throw new TryLaterError(`the engine does not answer within ${pingDeadlineMs} ms`, {
          retryAfterMs: 2_000,
          cause: error,
        });
      }
    },
    containers: {
      ...containers,
      ...dockerInside(docker),
      events: (signal) => events(AbortSignal.any([signal, closed.signal])),
      logs: dockerLogs(docker),
    },
    images,
    networks: { ensure: networks.ensure, remove: networks.remove, list: networks.list },
    layers: { ensure: layers.ensure, remove: layers.remove, list: layers.list, usage: layers.usage },
    previews: { ...networks.previews, list: listPreviews },
    workspaces: dockerWorkspaces(docker, installation, networks.gateway, worktrees.usage),
    ci: dockerCi(docker, installation, { layerMount: (layer) => layers.mountOf(layer), networks }),
    async close() {
      closed.abort();
      await worktrees.close();
    },
  };
}

function connection({ socketPath, dockerHost }: DockerEngineOptions): Docker.DockerOptions {
  // The client reads DOCKER_HOST by itself; an explicit undefined stops that.
  const none = { host: undefined, port: undefined } as unknown as Docker.DockerOptions;
  if (dockerHost === undefined) return { ...none, socketPath: socketPath ?? defaultSocket };
  const url = new URL(dockerHost);
  if (url.protocol === "unix:") return { ...none, socketPath: url.pathname };
  if (url.protocol === "tcp:" || url.protocol === "http:") {
    return { host: url.hostname, port: url.port || "2375", protocol: "http" };
  }
  throw new ActionNeededError("DOCKER_HOST_UNSUPPORTED", `cannot reach an engine through ${url.protocol}//`, {
    hint: "use unix:///path/to/docker.sock or tcp://host:port",
  });
}

/** Asks once; a failure is asked again the next time. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}
