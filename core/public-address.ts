import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

const closed = new BlockList();
for (const [address, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  closed.addSubnet(address, bits, "ipv4");
}
for (const [address, bits] of [
  ["::", 96],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  closed.addSubnet(address, bits, "ipv6");
}

/** Whether an IP address is one of the open internet: not this machine, not a private network, not link-local. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !closed.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** An address of this host to connect to; throws when any of its addresses is not public. */
export async function publicAddressOf(host: string): Promise<string> {
  const found = await lookup(host, { all: true });
  const [first] = found;
  if (!first || !found.every(({ address }) => isPublicAddress(address))) {
    throw new Error(`${host} is not on the open internet`);
  }
  return first.address;
}

/** For a host whose address only a proxy resolves: a name with a dot that is neither an address nor a local name. */
export function isPublicName(host: string): boolean {
  return (
    /^(?=.*[a-z])([a-z0-9-]+\.)+[a-z0-9-]+$/i.test(host) &&
    !/\.(internal|local|localhost|lan|home|arpa)$/i.test(host)
  );
}
