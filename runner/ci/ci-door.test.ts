import { randomInt } from "node:crypto";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { CiDoor, ciDoorPort } from "./ci-door.ts";

// Every address in 127/8 is this machine's: one of our own stands for the gateway, so that tests side by side do not meet.
const gateway = `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(2, 255)}`;
const job = "127.0.0.7";
const stranger = "127.0.0.8";
let controller: Server;
let door: CiDoor;
let seen: string[];

beforeEach(async () => {
  seen = [];
  controller = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers.host}`);
    response.writeHead(200).end("answer");
  });
  await new Promise<void>((resolve) => controller.listen(0, "127.0.0.1", () => resolve()));
  door = new CiDoor(
    `http://127.0.0.1:${(controller.address() as AddressInfo).port}`,
    createLogger("test", "silent"),
  );
  await door.open("ada", gateway);
});
afterEach(async () => {
  await door.closeAll();
  await new Promise<void>((resolve) => controller.close(() => resolve()));
});

function ask(path: string, from = job, method = "GET") {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const headers = { authorization: "Bearer x", connection: "close" };
    const asked = httpRequest(
      { host: gateway, port: ciDoorPort, localAddress: from, path, method, headers },
      async (response) => {
        let body = "";
        for await (const chunk of response) body += String(chunk);
        resolve({ status: response.statusCode ?? 0, body });
      },
    );
    asked.once("error", reject);
    asked.end();
  });
}

test("a job that runs reaches the API, with its own token", async () => {
  door.admit("ada", job);
  expect(await ask("/api/v1/twins?x=1")).toEqual({ status: 200, body: "answer" });
  expect(seen).toEqual([expect.stringMatching(/^GET \/api\/v1\/twins\?x=1 Bearer x 127\.0\.0\.1:\d+$/)]);
});

test.each([
  "/",
  "/readyz",
  "/webhooks/gitlab",
  "/git/a/b.git/info/refs",
  "/api/v1",
  "/api/v1/../../metrics",
  "/api/v1/%2e%2e/x",
  "/api/v1//x",
  "/api/v2/x",
])("%s is not handed on", async (path) => {
  door.admit("ada", job);
  expect((await ask(path)).status).toBe(404);
  expect(seen).toEqual([]);
});

test("nobody else is let through: neither a stranger nor a job that has ended", async () => {
  door.admit("ada", job);
  expect((await ask("/api/v1/twins", stranger)).status).toBe(403);
  door.expel("ada", job);
  expect((await ask("/api/v1/twins")).status).toBe(403);
  expect(seen).toEqual([]);
});

test("a job that asks before its address is known waits for a moment", async () => {
  const asked = ask("/api/v1/twins");
  setTimeout(() => door.admit("ada", job), 200);
  expect((await asked).status).toBe(200);
});
