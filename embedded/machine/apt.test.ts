import { expect, test } from "vitest";
import { aptReason, chooseMirror, installCommand, parseAptProxies, parseAptSources } from "./apt.ts";

const sources = parseAptSources(
  [
    "http://mirror.test/debian/|bookworm|main",
    "http://mirror.test/debian/|bookworm-updates|main",
    "http://mirror.test/debian/|bookworm|main",
    "http://mirror.test/debian-security/|bookworm-security|main",
    "",
  ].join("\n"),
);

test("the machine's own mirror is read from apt, each source once", () => {
  expect(sources).toHaveLength(3);
  expect(chooseMirror(sources, "bookworm")).toEqual({
    uri: "http://mirror.test/debian",
    suite: "bookworm",
    component: "main",
  });
});

test("a machine with another release uses its Debian mirror, never its security mirror", () => {
  const trixie = parseAptSources(
    "http://m.test/debian-security/|trixie-security|main\nhttp://m.test/debian/|trixie|main\n",
  );
  expect(chooseMirror(trixie, "bookworm")?.uri).toBe("http://m.test/debian");
});

test("a source that debootstrap cannot read, or none, gives no mirror", () => {
  expect(chooseMirror(parseAptSources("cdrom://disc/|bookworm|main\n"), "bookworm")).toBeUndefined();
  expect(chooseMirror([], "bookworm")).toBeUndefined();
});

test("apt's proxy settings become those that other programs read", () => {
  const dump = [
    'Acquire::http::Proxy "http://proxy.test:3128";',
    'Acquire::https::Proxy "DIRECT";',
    'Acquire::http::Proxy::mirror.test "DIRECT";',
    'APT::Architecture "amd64";',
  ].join("\n");
  expect(parseAptProxies(dump)).toEqual({ http_proxy: "http://proxy.test:3128", no_proxy: "mirror.test" });
});

test("of what apt says only its errors are told, each once", () => {
  const lines = [
    "Reading package lists...",
    "E: Unable to locate package x",
    "E: Unable to locate package x",
  ];
  expect(aptReason(lines)).toBe("Unable to locate package x");
  expect(aptReason(["something odd"])).toBe("something odd");
});

test("the command for a person has sudo only where it is needed", () => {
  expect(installCommand(["redis-server"], true)).toBe(
    "apt-get install -y --no-install-recommends redis-server",
  );
  expect(installCommand(["redis-server"], false)).toMatch(/^sudo apt-get/);
});
