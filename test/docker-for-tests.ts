import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { dataFolder } from "#core/data-folder";
import { messageOf } from "#core/errors";
import { createLogger } from "#core/logger";
import { packageRoot } from "#core/package-root";
import { initPath } from "#runner/engine/docker/container-config";
import { createDockerEngine } from "#runner/engine/docker/docker-engine";
import type { Engine, ImageRecipe } from "#runner/engine/engine";

/** An installation of its own on the machine's engine; `tearDown` takes away everything it made. */
export interface TestInstallation {
  id: string;
  folder: string;
  baseId: string;
  open(): Engine;
  /** A tiny image that has our first process; built once. */
  image(engine: Engine): Promise<string>;
  tearDown(): Promise<void>;
}

/** `undefined`, with the reason printed, where there is no engine; an error under CI. */
export async function dockerForTests(): Promise<{ installation(): Promise<TestInstallation> } | undefined> {
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });
  try {
    const base = await docker.getImage("dtaas/base:bookworm").inspect();
    return { installation: () => makeInstallation(docker, base.Id) };
  } catch (error) {
    const reason = `no Docker engine with the image dtaas/base:bookworm: ${messageOf(error)}`;
    if (process.env["CI"] === "true") throw new Error(reason, { cause: error });
    console.warn(`skipped: ${reason}`);
    return undefined;
  }
}

/** The base image with our first process in it, and nothing else. */
export async function initRecipe(baseId: string, hash: string): Promise<ImageRecipe> {
  const init = await readFile(join(packageRoot, "templates/workspace/_init/init"), "utf8");
  const dockerfile = `FROM ${baseId}\nCOPY init ${initPath}\n`;
  return { hash, dockerfile, files: { init: { content: init, mode: 0o755 } } };
}

async function makeInstallation(docker: Docker, baseId: string): Promise<TestInstallation> {
  const id = `t${randomBytes(5).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "dtaas-engine-"));
  const data = dataFolder(folder);
  await mkdir(data.snapshots, { recursive: true });
  const engines: Engine[] = [];
  const logger = createLogger("test", "silent");
  return {
    id,
    folder,
    baseId,
    open() {
      const engine = createDockerEngine({ installation: id, dataFolder: data, logger });
      engines.push(engine);
      return engine;
    },
    async image(engine) {
      const hash = "0123456789abcdef";
      const found = await engine.images.find(hash);
      return (
        found ?? engine.images.build(await initRecipe(baseId, hash), () => {}, AbortSignal.timeout(60_000))
      );
    },
    async tearDown() {
      for (const engine of engines) await engine.close();
      const filters = JSON.stringify({ label: [`dtaas.installation=${id}`] });
      for (const found of await docker.listContainers({ all: true, filters })) {
        await docker.getContainer(found.Id).remove({ force: true });
      }
      for (const found of (await docker.listVolumes({ filters })).Volumes ?? []) {
        await docker.getVolume(found.Name).remove();
      }
      for (const found of await docker.listNetworks({ filters })) await docker.getNetwork(found.Id).remove();
      for (const found of await docker.listImages({ filters })) {
        await docker.getImage(found.Id).remove({ force: true });
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
