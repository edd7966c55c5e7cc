import type Docker from "dockerode";
import { ActionNeededError } from "#core/errors";
import type { ContainerSpec } from "../engine.ts";
import { withEnvironmentFiles } from "../environment-files.ts";
import { configFingerprint } from "./config-fingerprint.ts";
import { configLabel, engineName, installationLabel, nameLabel, toEngineLabels } from "./labels.ts";

/** Our PID 1, copied into every workspace image. */
export const initPath = "/usr/local/lib/dtaas/init";

export const workspaceUser = "1000:1000"; // `dtaas` in every workspace image
const tmpfsOptions = "rw,nosuid,nodev,exec,size=64m"; // counts against the memory limit
const logMaxSize = "10m"; // per file; storage quotas are not available everywhere, so logs are capped here
const logMaxFiles = "3";

export const logging = {
  Type: "json-file",
  Config: { "max-size": logMaxSize, "max-file": logMaxFiles },
};

/** Where a layer lies: a volume of the engine, or a folder on this machine. */
export type LayerMount = { volume: string } | { folder: string };

/**
 * The one place that turns what the runner wants into engine options. Everything that is not written here stays at
 * the engine's default (the default seccomp profile, masked paths, no devices, no published ports), and nothing of
 * the spec can add a capability, a namespace of the host, a device or a mount of its own.
 */
export function containerConfig(
  spec: ContainerSpec,
  context: { installation: string; layerMount: LayerMount },
): Docker.ContainerCreateOptions {
  // Inside, a container's own host name is itself. So only what the twin's name stands for in its network bears it:
  // a `check` beside the running twin has to reach the twin by that name.
  const isTwin = spec.labels.operation === "execute";
  const hostname = hostNameOf(isTwin ? spec.labels.twin : spec.labels.run);
  const joined = spec.joinContainerId;
  const options: Docker.ContainerCreateOptions = {
    name: engineName(context.installation, spec.name),
    Image: spec.imageId,
    Entrypoint: [initPath],
    Cmd: withEnvironmentFiles(spec.command, spec.environmentFiles),
    WorkingDir: spec.workingDir,
    User: workspaceUser,
    Env: environmentList({ HOME: "/home/dtaas", ...spec.environment }),
    StopSignal: "SIGTERM",
    StopTimeout: Math.ceil(spec.graceMs / 1000),
    HostConfig: {
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: {
        "/tmp": `${tmpfsOptions},mode=1777`,
        "/home/dtaas": `${tmpfsOptions},mode=0755,uid=1000,gid=1000`,
      },
      Memory: spec.resources.memoryBytes,
      MemorySwap: spec.resources.memoryBytes,
      NanoCpus: Math.round(spec.resources.cpus * 1e9),
      PidsLimit: spec.resources.pids,
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      LogConfig: logging,
      IpcMode: "private",
      Init: false,
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      PublishAllPorts: false,
      NetworkMode: joined === undefined ? spec.network : `container:${joined}`,
      ...(joined === undefined ? {} : { PidMode: `container:${joined}` }),
      Mounts: mounts(spec, context.layerMount),
    },
  };
  if (joined === undefined) {
    options.Hostname = hostname; // the engine refuses one together with a joined network
    const aliases = isTwin ? { Aliases: [hostname] } : {};
    options.NetworkingConfig = { EndpointsConfig: { [spec.network]: aliases } };
  }
  options.Labels = {
    ...toEngineLabels(spec.labels),
    [installationLabel]: context.installation,
    [nameLabel]: spec.name,
    [configLabel]: configFingerprint({
      name: options.name ?? "",
      user: options.User ?? "",
      host: options.HostConfig ?? {},
      networks: joined === undefined ? [spec.network] : [],
    }),
  };
  return options;
}

function hostNameOf(name: string): string {
  return name.replace(/[^A-Za-z0-9-]/g, "-").slice(0, 63) || "twin";
}

function mounts(spec: ContainerSpec, layer: LayerMount): Docker.MountConfig {
  const workspace: Docker.MountSettings =
    "volume" in layer
      ? ({
          Type: "volume",
          Source: layer.volume,
          Target: "/workspace",
          ReadOnly: false,
          VolumeOptions: { NoCopy: true },
        } as Docker.MountSettings) // the types ask for a driver, the engine does not
      : bind(layer.folder, "/workspace", false);
  return [
    workspace,
    ...(spec.mounts ?? []).map(({ source, target }) => bind(source, target, true)),
    ...(spec.runFolder === undefined ? [] : [bind(spec.runFolder, "/run/dtaas", true)]),
  ];
}

export function bind(source: string, target: string, readOnly: boolean): Docker.MountSettings {
  // Not recursive: a mount below the source would come out writable.
  const bindOptions = { Propagation: "rprivate", NonRecursive: true } as Docker.MountSettings["BindOptions"];
  return {
    Type: "bind",
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    ...(bindOptions ? { BindOptions: bindOptions } : {}),
  };
}

export function environmentList(environment: Record<string, string>): string[] {
  return Object.entries(environment).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0")) {
      throw new ActionNeededError(
        "ENVIRONMENT_REFUSED",
        `the environment variable ${JSON.stringify(name)} cannot be set`,
        {
          hint: "use letters, digits and underscores in the name, and no NUL in the value",
        },
      );
    }
    return `${name}=${value}`;
  });
}
