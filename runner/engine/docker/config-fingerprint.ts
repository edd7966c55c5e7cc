import { createHash } from "node:crypto";
import type Docker from "dockerode";

/** What somebody could change on a live container, as we asked for it or as the engine tells it. */
export interface LiveConfig {
  name: string;
  user: string;
  host: Docker.HostConfig;
  networks: string[];
}

/**
 * A hash that is the same for what was asked for and for what the engine reports as long as nobody changed limits,
 * capabilities, mounts, namespaces, networks or the name. Absent and empty count as equal.
 */
export function configFingerprint({ name, user, host, networks }: LiveConfig): string {
  const facts = {
    name,
    user,
    networks: networks.toSorted(),
    memory: [host.Memory ?? 0, host.MemorySwap ?? 0, host.MemoryReservation ?? 0],
    cpu: [
      host.NanoCpus ?? 0,
      host.CpuQuota ?? 0,
      host.CpuPeriod ?? 0,
      host.CpuShares ?? 0,
      host.CpusetCpus ?? "",
    ],
    pids: host.PidsLimit ?? 0,
    restart: host.RestartPolicy?.Name ?? "no",
    privileged: host.Privileged ?? false,
    readOnly: host.ReadonlyRootfs ?? false,
    capabilities: [host.CapAdd ?? [], host.CapDrop ?? []],
    security: host.SecurityOpt ?? [],
    devices: (host.Devices ?? []).length,
    binds: host.Binds ?? [],
    ports: Object.keys((host.PortBindings ?? {}) as Record<string, unknown>),
    namespaces: [host.PidMode ?? "", host.IpcMode ?? "", host.UsernsMode ?? "", host.UTSMode ?? ""],
    joined: host.NetworkMode?.startsWith("container:") ? host.NetworkMode : "",
    tmpfs: Object.entries((host.Tmpfs ?? {}) as Record<string, string>).toSorted(([a], [b]) =>
      a < b ? -1 : 1,
    ),
    mounts: (host.Mounts ?? [])
      .map((mount) => [mount.Type, mount.Source, mount.Target, mount.ReadOnly ?? false].join("\0"))
      .toSorted(),
  };
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 32);
}
