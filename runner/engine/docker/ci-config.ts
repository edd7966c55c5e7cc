import type Docker from "dockerode";
import type { CiContainerSpec } from "../ci-containers.ts";
import { bind, environmentList, type LayerMount, logging, workspaceUser } from "./container-config.ts";
import { ciJobLabel, engineName, installationLabel } from "./labels.ts";

const stopTimeoutS = 10;
const tmpfs = "rw,nosuid,nodev,exec,size=512m"; // counts against the memory limit

/**
 * The one place that turns a pipeline's job into engine options. As with twins, nothing of the spec can add a capability, a
 * namespace of the host, a device, a port or a mount of its own; what it writes goes to its own layer and to memory.
 */
export function ciConfig(
  spec: CiContainerSpec,
  { installation, layerMount }: { installation: string; layerMount: LayerMount },
): Docker.ContainerCreateOptions {
  const { resources } = spec;
  return {
    name: ciName(installation, spec.jobId),
    Image: spec.imageId,
    Entrypoint: spec.command.slice(0, 1),
    Cmd: spec.command.slice(1),
    WorkingDir: "/builds",
    User: workspaceUser,
    Hostname: `job-${spec.jobId}`,
    // Variables of the job come in a file: what stands here, `docker inspect` shows.
    Env: environmentList({ HOME: "/home/dtaas", LANG: "C.UTF-8" }),
    StopSignal: "SIGTERM",
    StopTimeout: stopTimeoutS,
    Labels: { [installationLabel]: installation, [ciJobLabel]: String(spec.jobId) },
    HostConfig: {
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": `${tmpfs},mode=1777`, "/home/dtaas": `${tmpfs},mode=0755,uid=1000,gid=1000` },
      Memory: resources.memoryBytes,
      MemorySwap: resources.memoryBytes,
      NanoCpus: Math.round(resources.cpus * 1e9),
      PidsLimit: resources.pids,
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      LogConfig: logging,
      IpcMode: "private",
      Init: true, // the engine's: the job is over when its script is, whatever runs behind it
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      PublishAllPorts: false,
      NetworkMode: spec.network,
      ExtraHosts: Object.entries(spec.hostNames).map(([name, address]) => `${name}:${address}`),
      Mounts: [layer(layerMount)],
    },
    NetworkingConfig: { EndpointsConfig: { [spec.network]: {} } },
  };
}

export function ciName(installation: string, jobId: number): string {
  return engineName(installation, `job-${jobId}`);
}

function layer(mount: LayerMount): Docker.MountSettings {
  if ("folder" in mount) return bind(mount.folder, "/builds", false);
  return {
    Type: "volume",
    Source: mount.volume,
    Target: "/builds",
    ReadOnly: false,
    VolumeOptions: { NoCopy: true },
  } as Docker.MountSettings; // the types ask for a driver, the engine does not
}
