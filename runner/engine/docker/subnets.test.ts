import { expect, test } from "vitest";
import { freeSubnets, parseSubnet, type Subnet } from "./subnets.ts";

function subnet(cidr: string): Subnet {
  const parsed = parseSubnet(cidr);
  if (!parsed) throw new Error(cidr);
  return parsed;
}

test("subnets in use, larger or smaller ones, are left out", () => {
  const used = ["10.213.0.0/28", "10.213.0.130/31", "192.168.0.0/16"].map(subnet);
  expect([...freeSubnets(subnet("10.213.0.0/23"), used)]).toEqual([
    "10.213.0.64/26",
    "10.213.0.192/26",
    "10.213.1.0/26",
    "10.213.1.64/26",
    "10.213.1.128/26",
    "10.213.1.192/26",
  ]);
  expect([...freeSubnets(subnet("10.213.0.0/24"), [subnet("10.0.0.0/8")])]).toEqual([]);
});

test("a pool of a /16 has room for 1,024 users", () => {
  expect([...freeSubnets(subnet("10.213.0.0/16"), [])]).toHaveLength(1024);
});

test("what is no IPv4 network is none", () => {
  for (const text of ["", "10.0.0.0", "10.0.0.256/24", "10.0.0.0/33", "fd00::/64", "a.b.c.d/8"]) {
    expect(parseSubnet(text)).toBeUndefined();
  }
});
