import type Docker from "dockerode";
import pLimit from "p-limit";
import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import { sameLabels } from "../container-labels.ts";
import type { Container, ContainerSpec, Containers, LayerRef } from "../engine.ts";
import { configFingerprint } from "./config-fingerprint.ts";
import { containerConfig, type LayerMount } from "./container-config.ts";
import { asking, askingUnless, statusOf, toEngineError } from "./engine-error.ts";
import type { InspectedContainers } from "./inspected.ts";
import {
  configLabel,
  engineName,
  fromEngineLabels,
  installationLabel,
  labelFilter,
  nameLabel,
  previewLabel,
  runLabel,
  userLabel,
} from "./labels.ts";

const inspectsAtOnce = 8; // the engine answers one in about a millisecond; more at once only queue there
const listDeadlineMs = 30_000; // an engine under load answers in well under a second, a frozen one never
const killDeadlineMs = 30_000; // beyond the grace period, for a process the kernel does not let go
const removeDeadlineMs = 60_000;
const nameDeadlineMs = 10_000;
const pollMs = 50;
const youngMs = 5_000; // started less than this ago: its first process may not listen to signals yet
const askAgainMs = 500; // well below the two seconds in which our first process takes a signal for the same one

export type ContainerLifecycle = Pick<Containers, "create" | "start" | "stop" | "remove" | "list"> & {
  listPreviews(): Promise<Container[]>;
};

/** Containers from birth to removal. `layerMount` says where a layer lies, and throws when there is none. */
export function dockerContainers(
  docker: Docker,
  installation: string,
  layerMount: (layer: LayerRef) => Promise<LayerMount>,
  inspected: InspectedContainers,
): ContainerLifecycle {
  async function existing(spec: ContainerSpec): Promise<{ id: string } | undefined> {
    const name = engineName(installation, spec.name);
    const found = await askingUnless([404], `looking at container ${name}`, () =>
      docker.getContainer(name).inspect(),
    );
    if (!found) return undefined;
    const labels = found.Config.Labels;
    if (labels[installationLabel] === installation && sameLabels(fromEngineLabels(labels), spec.labels)) {
      return { id: found.Id };
    }
    throw new ActionNeededError("NAME_TAKEN", `another container is called ${name}`, {
      hint: `look at it with \`docker inspect ${name}\`, then remove or rename it`,
    });
  }

  /**
   * A container that has just been started may not listen yet: the kernel drops what is sent to a first process
   * without a handler. So it is asked once before the stop that counts; our first process takes both for one wish.
   * False when there is nothing to stop.
   */
  async function askYoung(id: string): Promise<boolean> {
    const container = docker.getContainer(id);
    const found = await askingUnless([404], `looking at container ${id}`, () => container.inspect());
    if (!found?.State.Running) return false;
    if (Date.now() - Date.parse(found.State.StartedAt) > youngMs) return true;
    await askingUnless([404, 409], `stopping container ${id}`, () => container.kill({ signal: "SIGTERM" }));
    const deadline = Date.now() + askAgainMs;
    while (Date.now() < deadline) {
      const now = await askingUnless([404], `looking at container ${id}`, () => container.inspect());
      if (!now?.State.Running) return false;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return true;
  }

  async function listed(filters: string): Promise<Docker.ContainerInfo[]> {
    const abortSignal = AbortSignal.timeout(listDeadlineMs);
    try {
      return await asking("listing containers", () =>
        docker.listContainers({ all: true, filters, abortSignal } as Docker.ContainerListOptions),
      );
    } catch (error) {
      if (!abortSignal.aborted) throw error;
      throw new TryLaterError(`the engine does not answer within ${listDeadlineMs / 1_000} s`, {
        retryAfterMs: 2_000,
        cause: error,
      });
    }
  }

  async function look(summary: Docker.ContainerInfo): Promise<Container | undefined> {
    const keep = inspected.begin(summary);
    const found = await askingUnless([404], "listing containers", () =>
      docker.getContainer(summary.Id).inspect(),
    );
    if (!found) return undefined;
    const container = toContainer(found);
    keep(container);
    return container;
  }

  async function inspectAll(found: readonly Docker.ContainerInfo[]): Promise<Container[]> {
    const limit = pLimit(inspectsAtOnce);
    const containers = await Promise.all(
      found.map((summary) => {
        if (summary.State === "removing" || summary.Labels[runLabel] === undefined) return undefined;
        return inspected.get(summary) ?? limit(() => look(summary));
      }),
    );
    return containers.flatMap((container) => container ?? []);
  }

  return {
    async create(spec, signal) {
      const options = containerConfig(spec, { installation, layerMount: await layerMount(spec.layer) });
      // A taken name whose owner cannot be seen is being made or removed at this moment: soon it is one or the other.
      const deadline = Date.now() + nameDeadlineMs;
      while (Date.now() < deadline) {
        try {
          const made = await docker.createContainer(signal ? { ...options, abortSignal: signal } : options);
          return { id: made.id };
        } catch (error) {
          if (statusOf(error) === 404) {
            throw new ActionNeededError("IMAGE_MISSING", `the image ${spec.imageId} is not there any more`, {
              hint: "it is built again when the twin is next looked at",
              cause: error,
            });
          }
          if (statusOf(error) !== 409) throw toEngineError(error, `creating container ${spec.name}`);
          const found = await existing(spec);
          if (found) return found;
          await new Promise((resolve) => setTimeout(resolve, pollMs));
        }
      }
      throw new TryLaterError(`somebody is making or removing container ${spec.name}`, {
        retryAfterMs: 1_000,
      });
    },

    async start(id) {
      const container = docker.getContainer(id);
      try {
        await container.start();
      } catch (error) {
        if (statusOf(error) === 304) return;
        if (statusOf(error) !== 404) throw toEngineError(error, `starting container ${id}`);
        // 404 also stands for a network or volume of it that has gone.
        if (!(await askingUnless([404], `looking at container ${id}`, () => container.inspect()))) return;
        throw new TryLaterError(messageOf(error), { retryAfterMs: 1_000, cause: error });
      }
    },

    async stop(id, graceMs) {
      if (!(await askYoung(id))) return;
      const abortSignal = AbortSignal.timeout(graceMs + killDeadlineMs);
      const seconds = Math.ceil(graceMs / 1000);
      try {
        await askingUnless([304, 404], `stopping container ${id}`, () =>
          docker.getContainer(id).stop({ t: seconds, abortSignal }),
        );
      } catch (error) {
        if (!abortSignal.aborted) throw error;
        throw new TryLaterError(`container ${id} does not end`, { retryAfterMs: 10_000, cause: error });
      }
    },

    async remove(id) {
      const container = docker.getContainer(id);
      // 409: somebody else is removing it at this moment
      await askingUnless([404, 409], `removing container ${id}`, () =>
        container.remove({ force: true, v: true }),
      );
      const deadline = Date.now() + removeDeadlineMs;
      while (await askingUnless([404], `removing container ${id}`, () => container.inspect())) {
        if (Date.now() > deadline) {
          throw new TryLaterError(`container ${id} is still being removed`, { retryAfterMs: 10_000 });
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },

    async list(user) {
      const found = await listed(labelFilter(installation, user === undefined ? {} : { [userLabel]: user }));
      return await inspectAll(found.filter(({ Labels }) => Labels[previewLabel] === undefined));
    },

    async listPreviews() {
      return await inspectAll(await listed(labelFilter(installation, { [previewLabel]: undefined })));
    },
  };
}

const states: Record<string, Container["state"]> = {
  created: "created",
  running: "running",
  restarting: "running",
  paused: "paused",
};

function toContainer(inspected: Docker.ContainerInspectInfo): Container {
  const { State, Config, HostConfig, NetworkSettings } = inspected;
  const state = states[State.Status] ?? "exited";
  const startedAt = timeOf(State.StartedAt);
  const finishedAt = timeOf(State.FinishedAt);
  const engineSideName = inspected.Name.replace(/^\//, "");
  const live = state === "running" || state === "paused";
  const fingerprint = configFingerprint({
    name: engineSideName,
    user: Config.User,
    host: HostConfig,
    networks: Object.keys(NetworkSettings.Networks),
  });
  return {
    id: inspected.Id,
    name: Config.Labels[nameLabel] ?? engineSideName,
    labels: fromEngineLabels(Config.Labels),
    state,
    ...(state === "exited" ? { exitCode: State.ExitCode, outOfMemory: State.OOMKilled } : {}),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined || state !== "exited" ? {} : { finishedAt }),
    imageId: inspected.Image,
    changed: live && fingerprint !== Config.Labels[configLabel],
  };
}

/** The engine writes the year one for "never". */
function timeOf(text: string): string | undefined {
  return text.startsWith("0001-") ? undefined : text;
}
