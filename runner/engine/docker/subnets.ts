/** IPv4 subnets as numbers, for picking a free one. */
export interface Subnet {
  first: number;
  last: number;
}

/** `undefined` for anything that is not IPv4 CIDR. Host bits are ignored. */
export function parseSubnet(cidr: string): Subnet | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (!match) return undefined;
  const [a, b, c, d, bits] = match.slice(1).map(Number) as [number, number, number, number, number];
  if ([a, b, c, d].some((octet) => octet > 255) || bits > 32) return undefined;
  const address = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const size = 2 ** (32 - bits);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

// Room for 61 containers of one user beside the gateway; a pool of /16 holds 1,024 users.
const subnetBits = 26;

/** Every subnet of the pool that touches none of those in use, lowest first. */
export function* freeSubnets(pool: Subnet, used: readonly Subnet[]): Generator<string> {
  const size = 2 ** (32 - subnetBits);
  for (let first = pool.first; first + size - 1 <= pool.last; first += size) {
    const last = first + size - 1;
    if (!used.some((other) => other.first <= last && other.last >= first))
      yield `${addressText(first)}/${subnetBits}`;
  }
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
