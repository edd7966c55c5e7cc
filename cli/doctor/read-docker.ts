import { statfs } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { callEngine } from "#embedded/engine/call-engine";
import { type Machine, machineEngine } from "#embedded/machine/machine";
import { freeSubnets, parseSubnet, type Subnet } from "#runner/engine/docker/subnets";

const answerMs = 10_000;
const defaultPool = "10.213.0.0/16"; // as in the runner's settings
const countedNetworks = 64; // more than this is many

/** What the container engine says of itself and of its machine. */
export interface DockerFacts {
  address: string;
  version: string;
  os: string;
  /** It is reached over the network. */
  isRemote: boolean;
  /** Of the data folder: its number in statfs. */
  fileSystem: number;
  cgroupVersion: string;
  /** What it can limit. */
  limits: Record<"memory" | "CPU" | "processes", boolean>;
  securityOptions: string[];
  networkPool: string;
  freeNetworks: number;
  /** Where it keeps images, and its room; `undefined` where that cannot be seen. */
  folder: string;
  freeBytes: number | undefined;
  clockAheadMs: number;
}

interface Info {
  ServerVersion?: string;
  OSType?: string;
  CgroupVersion?: string;
  MemoryLimit?: boolean;
  CpuCfsQuota?: boolean;
  PidsLimit?: boolean;
  SecurityOptions?: string[] | null;
  DockerRootDir?: string;
  SystemTime?: string;
}

/** Asks the engine; throws what went wrong when it does not answer. */
export async function readDocker(machine: Machine, dataFolder: string): Promise<DockerFacts> {
  const address = machineEngine(machine);
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await callEngine(address, { method: "GET", path, idleMs: answerMs });
    if (answer.status !== 200) throw new Error(`the engine answered ${answer.status} to ${path}`);
    return JSON.parse(answer.text) as T;
  };
  const info = await ask<Info>("/info");
  const saidAt = Date.now();
  const networks = await ask<{ IPAM?: { Config?: { Subnet?: string }[] | null } }[]>("/networks");
  const isRemote = !("socketPath" in address.request);
  const folder = info.DockerRootDir ?? "/var/lib/docker";
  const networkPool = machine.environment["DTAAS_NETWORK_POOL"] || defaultPool;
  const used = networks.flatMap(({ IPAM }) => (IPAM?.Config ?? []).flatMap(({ Subnet }) => subnets(Subnet)));
  return {
    address: address.text,
    version: info.ServerVersion ?? "unknown",
    os: info.OSType ?? "unknown",
    isRemote,
    fileSystem: await fileSystemOf(dataFolder),
    cgroupVersion: info.CgroupVersion ?? "unknown",
    limits: {
      memory: info.MemoryLimit === true,
      CPU: info.CpuCfsQuota === true,
      processes: info.PidsLimit === true,
    },
    securityOptions: info.SecurityOptions ?? [],
    networkPool,
    freeNetworks: countFree(networkPool, isRemote ? used : [...used, ...ownSubnets()]),
    folder,
    freeBytes: isRemote ? undefined : await freeBytesOf(folder),
    clockAheadMs: info.SystemTime === undefined ? 0 : Date.parse(info.SystemTime) - saidAt,
  };
}

function countFree(pool: string, used: Subnet[]): number {
  const range = parseSubnet(pool);
  if (range === undefined) return 0;
  let count = 0;
  for (const _subnet of freeSubnets(range, used)) {
    count += 1;
    if (count >= countedNetworks) break;
  }
  return count;
}

function ownSubnets(): Subnet[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ cidr }) => subnets(cidr ?? undefined)),
  );
}

function subnets(cidr: string | undefined): Subnet[] {
  const found = cidr === undefined ? undefined : parseSubnet(cidr);
  return found === undefined ? [] : [found];
}

async function fileSystemOf(folder: string): Promise<number> {
  const found = await statfs(folder).catch(() => undefined);
  if (found !== undefined) return found.type;
  return dirname(folder) === folder ? 0 : fileSystemOf(dirname(folder));
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  const found = await statfs(folder).catch(() => undefined);
  return found && found.bavail * found.bsize;
}
