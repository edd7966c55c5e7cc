import { networkInterfaces } from "node:os";
import type Docker from "dockerode";
import { ActionNeededError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { Networks, PreviewContainers } from "../engine.ts";
import { parseScope, scopeName } from "../preview-scope.ts";
import { asking, askingUnless, statusOf, toEngineError } from "./engine-error.ts";
import {
  engineName,
  installationLabel,
  labelFilter,
  previewLabel,
  purposeLabel,
  userLabel,
} from "./labels.ts";
import { addressText, freeSubnets, parseSubnet, type Subnet } from "./subnets.ts";

const maxAttempts = 64; // subnets tried before giving up, in case others take them at the same time
const conflict = 409;

export interface DockerNetworks extends Networks {
  /** The network image builds run in: no way out but to this machine. Its name, and our address in it. */
  forBuilds(): Promise<{ name: string; host: string }>;
  /** Our address in the user's network. */
  gateway(user: string): Promise<string>;
  /** The network of one person's pipeline jobs, apart from that of the person's twins; not among those listed. */
  forJobs(user: string): Promise<{ name: string; gateway: string }>;
  removeForJobs(user: string): Promise<void>;
  /** Those of previews; there is no way out of them but to this machine. */
  previews: Pick<PreviewContainers, "ensureNetwork" | "removeNetwork" | "listNetworks">;
}

/**
 * Bridges with subnets of our own choosing: the engine's own pools are used up after some thirty networks. Containers
 * of one network reach each other and the outside; the engine keeps different bridges apart.
 */
export function dockerNetworks(docker: Docker, installation: string, poolCidr: string): DockerNetworks {
  const pool = parseSubnet(poolCidr);
  if (!pool) {
    throw new ActionNeededError("NETWORK_POOL_INVALID", `${JSON.stringify(poolCidr)} is no IPv4 network`, {
      hint: "write it like 10.213.0.0/16",
    });
  }
  const serial = new SerialByKey();

  /** Ours by this name; somebody else's is an error. */
  async function find(name: string): Promise<Docker.NetworkInspectInfo | undefined> {
    const found: Docker.NetworkInspectInfo | undefined = await askingUnless(
      [404],
      `looking at network ${name}`,
      () => docker.getNetwork(name).inspect(),
    );
    if (found === undefined || found.Labels?.[installationLabel] === installation) return found;
    throw new ActionNeededError("NAME_TAKEN", `another network is called ${name}`, {
      hint: `look at it with \`docker network inspect ${name}\`, then remove or rename it`,
    });
  }

  async function create(name: string, labels: Record<string, string>, internal: boolean): Promise<void> {
    const all = await asking("listing networks", () => docker.listNetworks());
    const candidates = freeSubnets(pool as Subnet, [...all.flatMap(subnetsOf), ...ownSubnets()]);
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const next = candidates.next();
      if (next.done) break;
      try {
        await docker.createNetwork({
          Name: name,
          CheckDuplicate: true,
          Driver: "bridge",
          Internal: internal,
          Labels: { [installationLabel]: installation, ...labels },
          IPAM: { Driver: "default", Config: [{ Subnet: next.value }] },
        });
        return;
      } catch (error) {
        if (statusOf(error) === conflict) return; // somebody else has just made it
        // An overlap that the list did not show comes as 403 or 500, depending on who notices: try the next one.
        const status = statusOf(error);
        if (status !== 403 && status !== 500) throw toEngineError(error, `creating network ${name}`);
        if (attempt === maxAttempts - 1) throw toEngineError(error, `creating network ${name}`);
      }
    }
    throw new ActionNeededError("NETWORK_POOL_EMPTY", `no free network is left in ${poolCidr}`, {
      hint: "configure a larger pool, or remove networks that nobody needs",
    });
  }

  async function ensure(name: string, labels: Record<string, string>, internal: boolean) {
    const found = await find(name);
    if (found) return found;
    await create(name, labels, internal);
    return await find(name);
  }

  return {
    ensure(user) {
      const name = nameFor(user);
      return serial.run(poolCidr, async () => {
        await ensure(name, { [userLabel]: user }, false);
        return name;
      });
    },

    gateway(user) {
      return serial.run(poolCidr, async () => {
        const host = gatewayOf(await ensure(nameFor(user), { [userLabel]: user }, false));
        if (host) return host;
        throw new ActionNeededError("NETWORK_UNUSABLE", `the network of ${user} has no gateway`, {
          hint: `remove it with \`docker network rm ${nameFor(user)}\`; it is made anew`,
        });
      });
    },

    forBuilds() {
      const name = engineName(installation, "builds");
      return serial.run(poolCidr, async () => {
        const host = gatewayOf(await ensure(name, { [purposeLabel]: "builds" }, true));
        if (host) return { name, host };
        throw new ActionNeededError("BUILD_NETWORK_UNUSABLE", `the network ${name} has no gateway`, {
          hint: `remove it with \`docker network rm ${name}\`; it is made anew`,
        });
      });
    },

    forJobs(user) {
      const name = engineName(installation, `jobs-${user}`);
      return serial.run(poolCidr, async () => {
        const gateway = gatewayOf(await ensure(name, { [purposeLabel]: "jobs" }, false));
        if (gateway) return { name, gateway };
        throw new ActionNeededError("NETWORK_UNUSABLE", `the network ${name} has no gateway`, {
          hint: `remove it with \`docker network rm ${name}\`; it is made anew`,
        });
      });
    },

    removeForJobs: (user) => remove(engineName(installation, `jobs-${user}`)),

    remove: (user) => remove(nameFor(user)),

    async list() {
      const filters = labelFilter(installation);
      const found = await asking("listing networks", () => docker.listNetworks({ filters }));
      return found.flatMap((network) => network.Labels?.[userLabel] ?? []);
    },

    previews: {
      ensureNetwork(preview) {
        const name = engineName(installation, `preview-${scopeName(preview)}`);
        return serial.run(poolCidr, async () => {
          await ensure(name, { [previewLabel]: scopeName(preview) }, true);
          return name;
        });
      },
      removeNetwork: (preview) => remove(engineName(installation, `preview-${scopeName(preview)}`)),
      async listNetworks() {
        const filters = labelFilter(installation, { [previewLabel]: undefined });
        const found = await asking("listing networks", () => docker.listNetworks({ filters }));
        return found.flatMap((network) => parseScope(network.Labels?.[previewLabel] ?? "") ?? []);
      },
    },
  };

  async function remove(name: string): Promise<void> {
    await serial.run(poolCidr, async () => {
      // 403: it still has containers
      if (await find(name)) {
        await askingUnless([403, 404], `removing network ${name}`, () => docker.getNetwork(name).remove());
      }
    });
  }

  function nameFor(user: string): string {
    return engineName(installation, `user-${user}`);
  }
}

function subnetsOf(network: Docker.NetworkInspectInfo): Subnet[] {
  return (network.IPAM?.Config ?? []).flatMap((config) => parseSubnet(config.Subnet ?? "") ?? []);
}

/** What this machine's own interfaces are in. */
function ownSubnets(): Subnet[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap((address) => parseSubnet(address.cidr ?? "") ?? []),
  );
}

/** The engine tells the gateway it chose; where it does not, it is the first address. */
function gatewayOf(network: Docker.NetworkInspectInfo | undefined): string | undefined {
  const config = network?.IPAM?.Config?.[0];
  if (config?.Gateway) return config.Gateway;
  const subnet = parseSubnet(config?.Subnet ?? "");
  return subnet && addressText(subnet.first + 1);
}
