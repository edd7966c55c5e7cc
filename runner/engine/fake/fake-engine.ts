import { ActionNeededError, TryLaterError } from "#core/errors";
import { sameLabels } from "../container-labels.ts";
import type {
  Containers,
  Engine,
  EngineEvent,
  Images,
  Layers,
  Networks,
  PreviewContainers,
} from "../engine.ts";
import { EventQueue } from "../event-queue.ts";
import { parseScope, scopeName } from "../preview-scope.ts";
import { readFiles } from "./fake-files.ts";
import type { FakeWorld } from "./fake-world.ts";

const maxWaiting = 10_000;

/** An engine over a `FakeWorld`, with the contract of the real one. Several may share one world. */
export function createFakeEngine(world: FakeWorld): Engine {
  const closed = new AbortController();
  const enter = async (method: string, argument?: unknown): Promise<void> => {
    await world.rules.before?.(method, argument);
    if (world.down) throw new TryLaterError("the engine cannot be reached", { retryAfterMs: 2_000 });
  };
  return {
    name: "fake",
    runsBeside: true,
    placesFolders: true,
    async ping() {
      await enter("ping");
      return { version: "fake" };
    },
    containers: containers(world, enter, closed.signal),
    images: images(world, enter),
    networks: networks(world, enter),
    layers: layers(world, enter),
    previews: previews(world, enter),
    close() {
      closed.abort();
      return Promise.resolve();
    },
  };
}

type Enter = (method: string, argument?: unknown) => Promise<void>;

function containers(world: FakeWorld, enter: Enter, closed: AbortSignal): Containers {
  return {
    async create(spec) {
      await enter("containers.create", spec);
      const existing = [...world.containers.values()].find((container) => container.spec.name === spec.name);
      if (existing && sameLabels(existing.spec.labels, spec.labels)) return { id: existing.id };
      if (existing) throw new ActionNeededError("NAME_TAKEN", `another container is called ${spec.name}`);
      if (!world.layers.has(spec.layer.id)) {
        throw new ActionNeededError("LAYER_MISSING", `the layer ${spec.layer.id} is not there`);
      }
      return { id: world.addContainer(spec).id };
    },
    async start(id) {
      await enter("containers.start", id);
      world.containers.get(id)?.start();
    },
    async stop(id, graceMs) {
      await enter("containers.stop", id);
      await world.containers.get(id)?.stop(graceMs);
    },
    async remove(id) {
      await enter("containers.remove", id);
      world.removeContainer(id);
    },
    async list(user) {
      await enter("containers.list", user);
      return world.snapshot(user);
    },
    events(signal) {
      const queue = new EventQueue<EngineEvent>({
        limit: maxWaiting,
        overflow: () => ({ kind: "reconnected" }),
        onEnd: () => world.listeners.delete(queue),
      });
      const either = AbortSignal.any([signal, closed]);
      if (either.aborted) queue.end();
      else {
        world.listeners.add(queue);
        either.addEventListener("abort", () => queue.end(), { once: true });
      }
      return queue;
    },
    async *logs(id, { since, follow, signal }) {
      await enter("containers.logs", id);
      const container = world.containers.get(id);
      if (!container) return;
      for (let next = 0; !signal.aborted; ) {
        const line = container.lines[next];
        if (line) {
          next += 1;
          if (since === undefined || line.at > since) yield line;
        } else if (follow && (container.state === "running" || container.state === "paused")) {
          await container.waitForLine(signal);
        } else return;
      }
    },
    async read(id, path) {
      await enter("containers.read", path);
      const container = world.containers.get(id);
      return container ? await readFiles(world, container, path) : undefined;
    },
    async endpoint(id, port) {
      await enter("containers.endpoint", id);
      const container = world.containers.get(id);
      if (container?.state !== "running") return undefined;
      return world.rules.endpoint ? world.rules.endpoint(container, port) : { host: "127.0.0.1", port };
    },
    async exec(id, command, timeoutMs) {
      await enter("containers.exec", command);
      const container = world.containers.get(id);
      if (container?.state !== "running") return 125;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<number>((resolve) => {
        timer = setTimeout(() => resolve(124), timeoutMs);
      });
      try {
        return await Promise.race([Promise.resolve(world.rules.exec?.(container, command) ?? 0), late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function images(world: FakeWorld, enter: Enter): Images {
  return {
    async find(hash) {
      await enter("images.find", hash);
      return world.images.get(hash)?.id;
    },
    async base() {
      await enter("images.base");
      return "sha256:fake-base";
    },
    async buildHost() {
      await enter("images.buildHost");
      return "127.0.0.1";
    },
    async build(recipe, onLine, signal) {
      await enter("images.build", recipe);
      world.builds.set(recipe.hash, (world.builds.get(recipe.hash) ?? 0) + 1);
      const build = world.rules.build?.(recipe) ?? {};
      for (const line of build.lines ?? []) onLine(line);
      await pause(build.takesMs ?? 0, signal);
      if (build.failure !== undefined) {
        throw new ActionNeededError("BUILD_FAILED", `the image could not be built: ${build.failure}`);
      }
      const bytes = Buffer.byteLength(recipe.dockerfile);
      const image = { id: `sha256:fake-${recipe.hash}`, createdAt: new Date().toISOString(), bytes };
      world.images.set(recipe.hash, image);
      return image.id;
    },
    async list() {
      await enter("images.list");
      return [...world.images].map(([hash, image]) => ({ hash, ...image }));
    },
    async remove(hash) {
      await enter("images.remove", hash);
      const id = world.images.get(hash)?.id;
      const used = [...world.containers.values()].some((container) => container.spec.imageId === id);
      if (!used) world.images.delete(hash);
    },
  };
}

function networks(world: FakeWorld, enter: Enter): Networks {
  return {
    async ensure(user) {
      await enter("networks.ensure", user);
      const name = world.networks.get(user) ?? `fake-${user}`;
      world.networks.set(user, name);
      return name;
    },
    async remove(user) {
      await enter("networks.remove", user);
      const name = world.networks.get(user);
      const running = [...world.containers.values()].filter((container) => container.state === "running");
      if (!running.some((container) => container.spec.network === name)) world.networks.delete(user);
    },
    async list() {
      await enter("networks.list");
      return [...world.networks.keys()];
    },
  };
}

function previews(world: FakeWorld, enter: Enter): PreviewContainers {
  return {
    async list() {
      await enter("previews.list");
      return world.snapshot(undefined, "previews");
    },
    async ensureNetwork(preview) {
      const scope = scopeName(preview);
      await enter("previews.ensureNetwork", scope);
      const name = world.previewNetworks.get(scope) ?? `fake-preview-${scope}`;
      world.previewNetworks.set(scope, name);
      return name;
    },
    async removeNetwork(preview) {
      const scope = scopeName(preview);
      await enter("previews.removeNetwork", scope);
      const name = world.previewNetworks.get(scope);
      const running = [...world.containers.values()].filter((container) => container.state === "running");
      if (!running.some((container) => container.spec.network === name)) world.previewNetworks.delete(scope);
    },
    async listNetworks() {
      await enter("previews.listNetworks");
      return [...world.previewNetworks.keys()].flatMap((name) => parseScope(name) ?? []);
    },
  };
}

function layers(world: FakeWorld, enter: Enter): Layers {
  return {
    async ensure(id, lowerFolder) {
      await enter("layers.ensure", id);
      if (!world.layers.has(id)) world.layers.set(id, { lowerFolder, files: new Map() });
      return { id };
    },
    async remove(id) {
      await enter("layers.remove", id);
      if ([...world.containers.values()].some((container) => container.spec.layer.id === id)) {
        throw new TryLaterError(`layer ${id} is in use by a container`, { retryAfterMs: 1_000 });
      }
      world.layers.delete(id);
    },
    async list() {
      await enter("layers.list");
      return [...world.layers.keys()].sort();
    },
    async usage(id) {
      await enter("layers.usage", id);
      const contents = [...(world.layers.get(id)?.files.values() ?? [])];
      return contents.reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
