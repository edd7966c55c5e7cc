import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBody } from "./read-body.ts";

const limits = { maxBytes: 100, timeoutMs: 200 };
let server: Server;
let read: Promise<Buffer>;
let started: Promise<unknown>;

beforeEach(async () => {
  let begin = () => {};
  started = new Promise<void>((resolve) => {
    begin = resolve;
  });
  server = createServer((request, response) => {
    read = readBody(request, limits);
    begin();
    read.then(
      () => response.end(),
      () => response.writeHead(400, { connection: "close" }).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function send(head: string, body = ""): Socket {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);
  return socket;
}

test("a body within the limits is read to the byte", async () => {
  send("Content-Length: 5", "héy!".slice(0, 4));
  await started;
  expect((await read).toString()).toBe("héy!");
});

test("a length that is announced as too large is refused before anything is read", async () => {
  send("Content-Length: 101");
  await started;
  await expect(read).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
});

test("a body that grows too large without having said so is refused", async () => {
  const chunk = `40\r\n${"x".repeat(64)}\r\n`;
  send("Transfer-Encoding: chunked", chunk + chunk);
  await started;
  await expect(read).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
});

test("a sender that dribbles is refused when the time is over", async () => {
  const socket = send("Content-Length: 50", "x");
  const dribble = setInterval(() => socket.write("x"), 50);
  await started;
  await expect(read).rejects.toMatchObject({ code: "BODY_TOO_SLOW" });
  clearInterval(dribble);
});

test("a sender that goes away in the middle is no success", async () => {
  const socket = send("Content-Length: 50", "x");
  await started;
  socket.destroy();
  await expect(read).rejects.toMatchObject({ code: "BAD_REQUEST" });
});
