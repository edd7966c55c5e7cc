import { randomInt } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { GitRelay, gitRelayPort } from "./git-relay.ts";

// Every address in 127/8 is this machine's: one of our own stands for the gateway, so that tests side by side do not meet.
const gateway = `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(2, 255)}`;
const workspace = "127.0.0.7";
const twin = "127.0.0.8";
const refs = "/git/dtaas/user1.git/info/refs?service=git-upload-pack";
let controller: Server;
let relay: GitRelay;
let seen: { method: string; url: string; headers: IncomingMessage["headers"]; bytes: number }[];

beforeEach(async () => {
  seen = [];
  controller = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, bytes });
    response.writeHead(200, { "content-type": "application/x-git" }).end("refs");
  });
  await new Promise<void>((resolve) => controller.listen(0, "127.0.0.1", () => resolve()));
  const { port } = controller.address() as AddressInfo;
  relay = new GitRelay(`http://127.0.0.1:${port}`, createLogger("test", "silent"));
  await relay.open("user1", gateway, workspace);
});
afterEach(async () => {
  await relay.closeAll();
  await new Promise<void>((resolve) => controller.close(() => resolve()));
});

function ask(path: string, from = workspace, method = "GET", body?: Buffer) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const headers = { authorization: "Basic abc", connection: "close", "proxy-authorization": "x" };
    const to = { host: gateway, port: gitRelayPort, localAddress: from, path, method, headers };
    const asked = httpRequest(to, async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, body: text });
    });
    asked.once("error", reject);
    asked.end(body);
  });
}

test("hands on Git of the workspace, and as large a push as it is", async () => {
  expect(await ask(refs)).toEqual({ status: 200, body: "refs" });
  const push = Buffer.alloc(2_000_000, 7);
  expect((await ask("/git/dtaas/user1.git/git-receive-pack", workspace, "POST", push)).status).toBe(200);
  expect(seen.map(({ method, url, bytes }) => [method, url, bytes])).toEqual([
    ["GET", refs, 0],
    ["POST", "/git/dtaas/user1.git/git-receive-pack", push.length],
  ]);
  expect(seen[0]?.headers).toMatchObject({ authorization: "Basic abc" });
  expect(seen[0]?.headers["proxy-authorization"]).toBeUndefined();
});

test("turns everybody else in the network away, and lets through the address that the workspace has now", async () => {
  expect((await ask(refs, twin)).status).toBe(403);
  await relay.open("user1", gateway, twin);
  expect((await ask(refs, twin)).status).toBe(200);
  expect((await ask(refs, workspace)).status).toBe(403);
});

test.each([
  "/",
  "/api/v1/twins",
  "/metrics",
  "/webhooks/gitlab?project=1",
  "/git/../api/v1/twins",
  "/git/dtaas/user1.git/../../../api/v1/me",
  "/git/dtaas/user1.git/info/refs?service=git-upload-pack&x=1",
  "/git/dtaas/user1.git/config",
])("does not lead to the rest of the platform: %s", async (path) => {
  expect((await ask(path)).status).toBe(404);
  expect(seen).toEqual([]);
});

test("says so when the platform is away, and is shut when the workspace has ended", async () => {
  await new Promise<void>((resolve) => controller.close(() => resolve()));
  expect(await ask(refs)).toMatchObject({ status: 502, body: expect.stringContaining("try again") });
  await relay.close("user1");
  await expect(ask(refs)).rejects.toThrow("ECONNREFUSED");
});

test("an address that is not this machine's is told with what to do", async () => {
  const far = relay.open("user2", "192.0.2.1", workspace);
  await expect(far).rejects.toMatchObject({
    code: "GIT_RELAY_UNUSABLE",
    hint: expect.stringContaining("engine"),
  });
});
