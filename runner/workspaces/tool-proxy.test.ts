import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { ToolProxies } from "./tool-proxy.ts";

const accessToken = "t".repeat(43);
const proxies = new ToolProxies(createLogger("test", "silent"));
let tool: Server;
let port: number;
let seen: IncomingMessage[];

beforeEach(async () => {
  seen = [];
  tool = createServer((request, response) => {
    seen.push(request);
    request.resume();
    response.setHeader("set-cookie", ["own=1", `dtaas_workspace_${port}=stolen`, "dtaas_session=planted"]);
    response.end("the tool");
  });
  tool.on("upgrade", (request: IncomingMessage, socket) => {
    seen.push(request);
    socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello");
  });
  await new Promise<void>((resolve) => tool.listen(0, "127.0.0.1", () => resolve()));
  const target = {
    address: "127.0.0.1",
    port: (tool.address() as AddressInfo).port,
    toolKey: "key",
    accessToken,
  };
  port = await proxies.open("user1", target, undefined);
});
afterEach(async () => {
  await proxies.closeAll();
  await new Promise<void>((resolve) => tool.close(() => resolve()));
});

const cookie = () => `dtaas_workspace_${port}=${accessToken}`;

function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  return new Promise<{ status: number; headers: IncomingMessage["headers"]; body: string }>(
    (resolve, reject) => {
      const asked = httpRequest({ host: "127.0.0.1", port, path, method, headers }, async (response) => {
        let body = "";
        for await (const chunk of response) body += String(chunk);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
      asked.on("upgrade", (_response, socket, head) => {
        socket.destroy();
        resolve({ status: 101, headers: {}, body: head.toString() });
      });
      asked.on("error", reject);
      asked.end();
    },
  );
}

test("the token in an address is exchanged for a cookie and taken out of the address", async () => {
  const first = await ask(`/tree?a=b&token=${accessToken}`);
  expect(first).toMatchObject({ status: 303, headers: { location: "/tree?a=b" } });
  expect(first.headers["set-cookie"]).toEqual([`${cookie()}; Path=/; HttpOnly; SameSite=Strict`]);
  expect(await ask("/tree", { cookie: cookie() })).toMatchObject({ status: 200, body: "the tool" });
  for (const path of ["//elsewhere.test/", "/\\elsewhere.test/", "///elsewhere.test/"]) {
    expect((await ask(`${path}?token=${accessToken}`)).headers.location).toBe("/elsewhere.test/");
  }
});

test("without the token, or with another one, nothing reaches the tools", async () => {
  for (const [path, headers] of [
    ["/", {}],
    ["/?token=", {}],
    [`/?token=${"u".repeat(43)}`, {}],
    ["/", { cookie: `dtaas_workspace_${port}=wrong` }],
    ["/", { cookie: `dtaas_workspace_${port + 1}=${accessToken}` }],
    ["/", { authorization: "Bearer wrong" }],
    ["/", { authorization: "token key" }],
  ] as [string, Record<string, string>][]) {
    expect((await ask(path, headers)).status, JSON.stringify([path, headers])).toBe(401);
  }
  expect(seen).toEqual([]);
});

test("a name that was made to lead here, and pages of other origins, get nothing done", async () => {
  const mine = { cookie: cookie() };
  expect((await ask("/", { ...mine, host: `rebound.test:${port}` })).status).toBe(421);
  expect((await ask("/api", { ...mine, origin: "http://127.0.0.1:1" }, "POST")).status).toBe(403);
  const upgrade = { ...mine, connection: "Upgrade", upgrade: "websocket" };
  expect((await ask("/socket", { ...upgrade, origin: "http://evil.test" })).status).toBe(403);
  expect((await ask("/socket", { ...upgrade, cookie: "" })).status).toBe(403);
  expect(seen).toEqual([]);
  const own = { origin: `http://127.0.0.1:${port}` };
  expect((await ask("/api", { ...mine, ...own }, "POST")).status).toBe(200);
  expect(await ask("/socket", { ...upgrade, ...own })).toMatchObject({ status: 101, body: "hello" });
});

test("neither the token nor a cookie of the platform reaches the tools, and they can set none", async () => {
  const both = `a=b; ${cookie()}; dtaas_workspace_1=of-another; dtaas_session=s; __Host-dtaas_session=t; dtaas_forge_session.sig=u`;
  const { headers } = await ask("/", { cookie: both, authorization: `Bearer ${accessToken}` });
  expect(seen[0]?.headers).toMatchObject({ cookie: "a=b", authorization: "token key" });
  expect(headers["set-cookie"]).toEqual(["own=1"]);
});

test("tools that are away are told as such", async () => {
  await proxies.open("user1", { address: "127.0.0.1", port: 1, toolKey: "key", accessToken }, undefined);
  expect((await ask("/", { cookie: cookie() })).status).toBe(502);
});
