import { expect, test } from "vitest";
import { isPublicAddress, isPublicName, publicAddressOf } from "./public-address.ts";

test("addresses of this machine and of private networks are not public", async () => {
  const inside = [
    "127.0.0.1",
    "10.1.2.3",
    "172.17.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
  ];
  for (const address of [
    ...inside,
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "x",
    "",
  ]) {
    expect([address, isPublicAddress(address)]).toEqual([address, false]);
  }
  for (const address of ["1.1.1.1", "151.101.2.132", "2a04:4e42::644"])
    expect(isPublicAddress(address)).toBe(true);
  await expect(publicAddressOf("localhost")).rejects.toThrow("not on the open internet");
});

test("only full names of the outside go through a proxy unresolved", () => {
  for (const name of ["example.org", "a.b-c.example.com"]) expect(isPublicName(name)).toBe(true);
  for (const name of [
    "localhost",
    "host",
    "10.0.0.1",
    "metadata.internal",
    "printer.local",
    "a..b",
    "[::1]",
    "",
  ]) {
    expect([name, isPublicName(name)]).toEqual([name, false]);
  }
});
