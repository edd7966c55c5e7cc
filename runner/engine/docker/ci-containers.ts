import type Docker from "dockerode";
import { ActionNeededError } from "#core/errors";
import type { CiContainer, CiContainers } from "../ci-containers.ts";
import type { LayerRef } from "../engine.ts";
import { ciConfig, ciName } from "./ci-config.ts";
import type { LayerMount } from "./container-config.ts";
import { asking, askingUnless, statusOf, toEngineError } from "./engine-error.ts";
import { ciJobLabel, installationLabel, labelFilter } from "./labels.ts";
import type { DockerNetworks } from "./networks.ts";

/** Containers of pipeline jobs on Docker. `layerMount` says where a layer lies, and throws when there is none. */
export function dockerCi(
  docker: Docker,
  installation: string,
  {
    layerMount,
    networks,
  }: {
    layerMount: (layer: LayerRef) => Promise<LayerMount>;
    networks: Pick<DockerNetworks, "forJobs" | "removeForJobs">;
  },
): CiContainers {
  const inspect = (id: string) =>
    askingUnless([404], "looking at a job", () => docker.getContainer(id).inspect());

  return {
    network: networks.forJobs,
    removeNetwork: networks.removeForJobs,

    async create(spec) {
      const options = ciConfig(spec, { installation, layerMount: await layerMount(spec.layer) });
      try {
        return { id: (await docker.createContainer(options)).id };
      } catch (error) {
        if (statusOf(error) === 404) {
          throw new ActionNeededError("IMAGE_MISSING", "the image of the job is not there any more", {
            cause: error,
          });
        }
        if (statusOf(error) !== 409) throw toEngineError(error, "creating a job");
        const found = await asking("creating a job", () =>
          docker.getContainer(ciName(installation, spec.jobId)).inspect(),
        );
        if (found.Config.Labels[installationLabel] === installation) return { id: found.Id };
        throw new ActionNeededError("NAME_TAKEN", `another container is called ${options.name}`);
      }
    },

    async list() {
      const filters = labelFilter(installation);
      const found = await asking("listing jobs", () => docker.listContainers({ all: true, filters }));
      return found.flatMap(({ Id, Labels, State }): CiContainer[] => {
        const jobId = Number(Labels[ciJobLabel] ?? Number.NaN);
        if (Number.isNaN(jobId) || State === "removing") return [];
        const state = State === "created" ? "created" : State === "running" ? "running" : "exited";
        return [{ id: Id, jobId, state }];
      });
    },

    async upload(id, path, archive) {
      await asking("giving a job its files", () => docker.getContainer(id).putArchive(archive, { path }));
    },

    async download(id, path) {
      return await askingUnless([404], "reading what a job has left", () =>
        docker.getContainer(id).getArchive({ path }),
      );
    },

    async wait(id, signal) {
      try {
        const wait = docker.getContainer(id).wait as (options: object) => Promise<{ StatusCode: number }>;
        const { StatusCode: exitCode } = await wait.call(docker.getContainer(id), { abortSignal: signal });
        const found = await inspect(id);
        return { exitCode, outOfMemory: found?.State.OOMKilled ?? false };
      } catch (error) {
        signal.throwIfAborted();
        throw toEngineError(error, "waiting for a job");
      }
    },

    async address(id) {
      const found = await inspect(id);
      if (!found?.State.Running) return undefined;
      return Object.values(found.NetworkSettings.Networks)
        .map(({ IPAddress }) => IPAddress)
        .find((one) => one !== "");
    },
  };
}
