import type Docker from "dockerode";
import type { WorkspaceContainerSpec } from "../workspace-containers.ts";
import { bind, environmentList, initPath, logging, workspaceUser } from "./container-config.ts";
import { engineName, installationLabel, sessionLabel, userLabel, workspaceLabel } from "./labels.ts";

const stopTimeoutS = 10;
const tmpfs = "rw,nosuid,nodev,exec,size=512m,mode=1777"; // counts against the memory limit

/**
 * The one place that turns a workspace into engine options. As with twins, nothing of the spec can add a capability, a
 * namespace of the host, a device, a port or a mount of its own; only the files of the workspace can be written.
 */
export function workspaceConfig(
  spec: WorkspaceContainerSpec,
  installation: string,
): Docker.ContainerCreateOptions {
  const { user, resources } = spec;
  const hosts = Object.entries(spec.hostNames).map(([name, address]) => `${name}:${address}`);
  return {
    name: workspaceName(installation, spec),
    Image: spec.imageId,
    ...(spec.command ? { Entrypoint: [initPath], Cmd: spec.command } : {}),
    WorkingDir: "/workspace",
    User: workspaceUser,
    Hostname: user.replace(/[^A-Za-z0-9-]/g, "-").slice(0, 63) || "workspace",
    Env: environmentList({ HOME: "/home/dtaas", ...spec.environment }),
    StopSignal: "SIGTERM",
    StopTimeout: stopTimeoutS,
    Labels: {
      [installationLabel]: installation,
      [userLabel]: user,
      [workspaceLabel]: user,
      [sessionLabel]: String(spec.session),
    },
    HostConfig: {
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": tmpfs },
      Memory: resources.memoryBytes,
      MemorySwap: resources.memoryBytes,
      ShmSize: resources.shmBytes,
      NanoCpus: Math.round(resources.cpus * 1e9),
      PidsLimit: resources.pids,
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      LogConfig: logging,
      IpcMode: "private",
      Init: spec.command === undefined,
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      PublishAllPorts: false,
      NetworkMode: spec.network,
      ExtraHosts: hosts,
      Mounts: [
        bind(spec.treeFolder, "/workspace", false),
        bind(spec.homeFolder, "/home/dtaas", false),
        ...spec.mounts.map(({ source, target }) => bind(source, target, true)),
      ],
    },
    NetworkingConfig: { EndpointsConfig: { [spec.network]: {} } },
  };
}

export function workspaceName(
  installation: string,
  { user, session }: Pick<WorkspaceContainerSpec, "user" | "session">,
): string {
  return engineName(installation, `workspace-${user}-${session}`);
}
