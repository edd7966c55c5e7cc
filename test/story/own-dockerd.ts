import { execFile } from "node:child_process";
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
 * Its data, sockets and process file lie in a folder of its own, and its bridges in a network namespace of its own: told to
 * have no default bridge, a dockerd removes the one that another engine of this machine uses. `startDockerd` finds all that
 * as the `dockerd` of the path.
 */
export async function startOwnDockerd(): Promise<OwnDockerd> {
  const folder = await mkdtemp(join(tmpdir(), "dtaas-dockerd-"));
  const where = `--data-root '${folder}/data' --exec-root '${folder}/exec'`;
  const harmless = "--iptables=false --ip-forward=false";
  const path = "/usr/sbin:/usr/bin:/sbin:/bin";
  const script = `#!/bin/sh\nPATH=${path} exec unshare --net dockerd ${harmless} ${where} "$@"\n`;
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
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
