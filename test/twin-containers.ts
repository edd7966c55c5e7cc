import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import type { Container, ContainerSpec, Engine, LayerRef } from "#runner/engine/engine";
import type { LogLine } from "#schemas/run";
import type { TestInstallation } from "./docker-for-tests.ts";

type SpecChanges = Partial<ContainerSpec> & { user?: string; twin?: string };

/** Short ways to run real containers as the runner would. */
export interface TwinContainers {
  engine: Engine;
  /** A layer over an empty snapshot. */
  layer(id: string): Promise<LayerRef>;
  /** Made and started; a string is a shell script. */
  start(command: string | string[], more?: SpecChanges): Promise<string>;
  ended(id: string): Promise<Container>;
  /** Resolves when a line has been printed. */
  printed(id: string, text: string): Promise<void>;
  lines(id: string): Promise<string[]>;
  /** Started, ended, and its lines of both streams. */
  run(command: string | string[], more?: SpecChanges): Promise<{ container: Container; lines: string[] }>;
}

const within = { timeout: 20_000, interval: 50 };

export function twinContainers(installation: TestInstallation): TwinContainers {
  const engine = installation.open();
  let count = 0;

  const look = async (id: string) =>
    (await engine.containers.list()).find((container) => container.id === id);

  const self: TwinContainers = {
    engine,

    async layer(id) {
      const lower = join(await mkdtemp(join(installation.folder, "snapshots", "s-")), "dtaas+user1");
      await mkdir(lower);
      return engine.layers.ensure(id, lower);
    },

    async start(command, { user = "user1", twin = "tank", ...more } = {}) {
      count += 1;
      const name = `run-${count}`;
      const { id } = await engine.containers.create({
        name,
        imageId: await installation.image(engine),
        labels: {
          user,
          twin,
          operation: "execute",
          run: name,
          key: "key",
          source: "source",
          revision: "a".repeat(40),
          attempt: "1",
        },
        command: typeof command === "string" ? ["sh", "-c", command] : command,
        workingDir: "/workspace",
        environment: {},
        resources: { cpus: 1, memoryBytes: 128 * 1024 * 1024, pids: 64 },
        network: more.network ?? (await engine.networks.ensure(user)),
        layer: more.layer ?? (await self.layer(name)),
        graceMs: 5_000,
        ...more,
      });
      await engine.containers.start(id);
      return id;
    },

    ended: (id) =>
      vi.waitFor(async () => {
        const container = await look(id);
        if (container?.state !== "exited") throw new Error(`is ${container?.state}`);
        return container;
      }, within),

    async lines(id) {
      const lines: LogLine[] = [];
      const options = { follow: false, signal: AbortSignal.timeout(20_000) };
      for await (const line of engine.containers.logs(id, options)) lines.push(line);
      return lines.map((line) => line.text);
    },

    printed: (id, text) =>
      vi.waitFor(async () => {
        const lines = await self.lines(id);
        if (!lines.includes(text)) throw new Error(`printed ${JSON.stringify(lines)}`);
      }, within),

    async run(command, more) {
      const id = await self.start(command, more);
      const container = await self.ended(id);
      return { container, lines: await self.lines(id) };
    },
  };
  return self;
}
