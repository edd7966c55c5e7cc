import { expect, test } from "vitest";
import { freeSubnets, parseSubnet, type Subnet } from "./subnets.ts";

function subnet(cidr: string): Subnet {
  const parsed = parseSubnet(cidr);
  if (!parsed) throw new Error(cidr);
  return parsed;
}

test("subnets in use, larger or smaller ones, are left out", () => {
  const used = ["10.213.0.0/28", "10.213.0.32/30", "10.213.0.62/32", "192.168.0.0/16"].map(subnet);
  expect([...freeSubnets(subnet("10.213.0.0/25"), used)]).toEqual([
    "10.213.0.16/28",
    "10.213.0.64/28",
    "10.213.0.80/28",
    "10.213.0.96/28",
    "10.213.0.112/28",
  ]);
  expect([...freeSubnets(subnet("10.213.0.0/24"), [subnet("10.0.0.0/8")])]).toEqual([]);
});

test("a pool of a /16 has room for 4,096 users", () => {
  expect([...freeSubnets(subnet("10.213.0.0/16"), [])]).toHaveLength(4096);
});

test("what is no IPv4 network is none", () => {
  for (const text of ["", "10.0.0.0", "10.0.0.256/24", "10.0.0.0/33", "fd00::/64", "a.b.c.d/8"]) {
    expect(parseSubnet(text)).toBeUndefined();
  }
});
