import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { engineAddress } from "#embedded/engine/engine-address";
import { type StartedEngine, startDockerd } from "#embedded/engine/start-dockerd";

const run = promisify(execFile);
const baseImage = "dtaas/base:bookworm";

/** A dockerd of the test's own, with the base image: nobody else's containers, networks or firewall rules are touched. */
export interface OwnDockerd {
  engine: StartedEngine;
  dockerHost: string;
  pidFile: string;
  /** After the engine has been stopped. */
  remove(): Promise<void>;
}

/**
 * Its data, sockets and process file lie in a folder of its own, and the machine's engine lends it a bridge: told to have
 * none, a dockerd removes the default one, which is the other engine's. `startDockerd` finds all that as the `dockerd` of the path.
 */
export async function startOwnDockerd(): Promise<OwnDockerd> {
  const folder = await mkdtemp(join(tmpdir(), "dtaas-dockerd-"));
  const bridge = `dtaas-${randomBytes(4).toString("hex")}`; // an interface's name has 15 characters at most
  await run("docker", ["network", "create", "--opt", `com.docker.network.bridge.name=${bridge}`, bridge]);
  const where = `--data-root '${folder}/data' --exec-root '${folder}/exec' --bridge ${bridge}`;
  const harmless = "--iptables=false --ip-forward=false";
  const path = "/usr/sbin:/usr/bin:/sbin:/bin";
  const script = `#!/bin/sh\nPATH=${path} exec dockerd ${harmless} ${where} "$@"\n`;
  await writeFile(join(folder, "dockerd"), script, { mode: 0o755 });
  const dockerHost = `unix://${folder}/docker.sock`;
  const engine = await startDockerd({
    address: engineAddress({ DOCKER_HOST: dockerHost }),
    folder: join(folder, "engine"),
    hasSystemd: false,
    environment: { PATH: `${folder}:${path}` },
  });
  await run("/bin/sh", ["-c", `docker save ${baseImage} | docker -H '${dockerHost}' load`]);
  return {
    engine,
    dockerHost,
    pidFile: join(folder, "engine", "dockerd.pid"),
    remove: async () => {
      await run("umount", ["-l", `${folder}/data`]).catch(() => undefined); // left behind by one that was killed
      await run("docker", ["network", "rm", bridge]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
