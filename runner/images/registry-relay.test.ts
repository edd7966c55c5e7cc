import { mkdtemp, writeFile } from "node:fs/promises";
import http from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import type { MachineApt } from "./machine-apt.ts";
import { type MachineRegistries, openRegistryRelay, type RegistryRelay } from "./registry-relay.ts";
import { machineUpstream } from "./upstream-request.ts";

const secret = "http://user:pw@mirror.test/private/debian/";
const fetched: string[] = [];
const apt: MachineApt = {
  hasSources: async () => true,
  sources: async (codename) =>
    codename === "bookworm"
      ? ["main", "contrib"].map((component) => ({ uri: secret, release: "bookworm", component }))
      : [],
  options: async () => 'Acquire::Check-Date "false";\n',
  async fetch(uri) {
    fetched.push(uri);
    if (uri.endsWith("missing")) return "missing";
    if (uri.endsWith("broken")) throw new Error(`cannot resolve ${secret}`);
    const folder = await mkdtemp(join(tmpdir(), "relay-"));
    await writeFile(join(folder, "file"), "a package");
    return { path: join(folder, "file"), folder };
  },
};
const machine = (mayPassThrough: boolean): MachineRegistries => ({
  apt,
  python: {
    pipConfig: (origin) => `[global]\nindex-url = ${origin}/simple/\n`,
    page: async (project) => (project === "numpy" ? "links" : undefined),
    file: async (number) => (number === 3 ? { body: Readable.from(["wheel"]), bytes: 5 } : undefined),
  },
  mayPassThrough,
  upstream: machineUpstream({ trustedHosts: [] }, {}),
});

let relay: RegistryRelay;
afterEach(() => relay.close());

async function get(url: string, options: { method?: string; authorization?: string } = {}) {
  const proxy = new URL(relay.proxyUrl);
  const own = `Basic ${Buffer.from(`${proxy.username}:${proxy.password}`).toString("base64")}`;
  const headers = { "proxy-authorization": options.authorization ?? own };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const { hostname: host, port } = proxy;
    const request = http.request(
      { host, port, path: url, method: options.method ?? "GET", headers },
      resolve,
    );
    request.on("error", reject).end();
  });
  return { status: response.statusCode, text: await text(response) };
}

async function tunnel(target: string, withCredentials = true): Promise<string> {
  const proxy = new URL(relay.proxyUrl);
  const pair = Buffer.from(`${proxy.username}:${proxy.password}`).toString("base64");
  const socket = connect(Number(proxy.port), proxy.hostname);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n`);
  socket.write(withCredentials ? `Proxy-Authorization: Basic ${pair}\r\n\r\n` : "\r\n");
  return (await text(socket)).split("\r\n")[0] ?? "";
}

test("apt's sources have neutral names, and lead to what the machine's apt fetches", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  const list = await get("http://apt.dtaas.internal/sources/bookworm.list");
  expect(list).toEqual({
    status: 200,
    text: "deb http://apt.dtaas.internal/0 bookworm main\ndeb http://apt.dtaas.internal/0 bookworm contrib\n",
  });
  expect((await get("http://apt.dtaas.internal/sources/jammy.list")).text).toBe("");
  expect((await get("http://apt.dtaas.internal/apt.conf")).text).toContain("Check-Date");
  const file = await get("http://apt.dtaas.internal/0/pool/main/b/bc/bc_1.07.1-3+b1_amd64.deb");
  expect(file).toEqual({ status: 200, text: "a package" });
  expect(fetched).toEqual([`${secret}pool/main/b/bc/bc_1.07.1-3+b1_amd64.deb`]);
  expect((await get("http://apt.dtaas.internal/0/missing")).status).toBe(404);
  expect((await get("http://apt.dtaas.internal/7/pool/x")).status).toBe(404);
});

test("a failing mirror is told without its address", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  await get("http://apt.dtaas.internal/sources/bookworm.list");
  const answer = await get("http://apt.dtaas.internal/0/broken");
  expect(answer.status).toBe(502);
  expect(answer.text).not.toContain("mirror.test");
  expect(relay.troubles).toEqual(["cannot resolve [address]"]);
});

test("nobody climbs out of a source", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  await get("http://apt.dtaas.internal/sources/bookworm.list");
  const before = fetched.length;
  for (const path of ["../x", "a/../../x", "%2e%2e/x", "a%2f..%2fx", "a%00"]) {
    const { status } = await get(`http://apt.dtaas.internal/0/${path}`);
    expect([path, status]).toEqual([path, 404]);
  }
  expect(fetched.slice(before)).toEqual([]);
  await get("http://apt.dtaas.internal/0/a/%2E./x");
  expect(fetched.slice(before)).toEqual([`${secret}x`]);
});

test("Python packages come through too", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  expect((await get("http://pypi.dtaas.internal/pip.conf")).text).toContain(
    "http://pypi.dtaas.internal/simple/",
  );
  expect(await get("http://pypi.dtaas.internal/simple/numpy/")).toEqual({ status: 200, text: "links" });
  expect((await get("http://pypi.dtaas.internal/simple/other/")).status).toBe(404);
  expect(await get("http://pypi.dtaas.internal/files/3/x.whl")).toEqual({ status: 200, text: "wheel" });
  expect((await get("http://pypi.dtaas.internal/files/4/x.whl")).status).toBe(404);
});

test("only the build it was opened for may use it, and only to read", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(true));
  for (const authorization of ["", "Basic YnVpbGQ6eA==", "Bearer x"]) {
    expect((await get("http://apt.dtaas.internal/apt.conf", { authorization })).status).toBe(407);
  }
  expect((await get("http://apt.dtaas.internal/apt.conf", { method: "POST" })).status).toBe(405);
  expect(await tunnel("example.org:443", false)).toContain("407");
});

test("it leads to no other place when the machine has registries of its own", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  expect((await get("http://example.org/")).status).toBe(403);
  expect(await tunnel("example.org:443")).toContain("403");
});

test("it never leads to this machine or a private network", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(true));
  for (const host of ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254"]) {
    expect([host, (await get(`http://${host}/`)).status]).toEqual([host, 502]);
  }
  expect((await get("http://127.0.0.1:8080/")).status).toBe(403);
  for (const target of ["127.0.0.1:443", "localhost:443", "example.org:22", "10.0.0.1:443"]) {
    expect([target, await tunnel(target)]).toEqual([target, expect.stringContaining("403")]);
  }
});

test("its password and address are taken out of what a build prints", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  const { password, host } = new URL(relay.proxyUrl);
  const shown = relay.redact(`cannot connect to ${relay.proxyUrl}: ${host}`);
  expect(shown).not.toContain(password);
  expect(shown).not.toContain(host);
});

test("an address that is not ours is refused with a reason", async () => {
  relay = await openRegistryRelay("127.0.0.1", machine(false));
  await expect(openRegistryRelay("203.0.113.1", machine(false))).rejects.toMatchObject({
    code: "RELAY_UNREACHABLE",
  });
});
