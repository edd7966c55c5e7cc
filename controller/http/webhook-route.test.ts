import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { Deliveries } from "../intake/deliveries.ts";
import { maxBodyBytes } from "../intake/parse-body.ts";
import { projectSecret } from "../intake/project-secret.ts";
import { errorMiddleware } from "./error-middleware.ts";
import { webhookRoute } from "./webhook-route.ts";

const master = "0123456789abcdef0123456789abcdef";
const after = "b".repeat(40);
let folder: string;
let deliveries: Deliveries;
let server: Server;
let url: string;
let nudged: string[];
let isConfigured: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "webhook-"));
  deliveries = await Deliveries.open(folder, () => {});
  nudged = [];
  isConfigured = true;
  const app = express();
  app.set("query parser", "simple");
  app.use(
    webhookRoute({
      hostOf: () => ({ kind: "gitlab", name: undefined }),
      secretOf: (id) => (isConfigured ? projectSecret(master, id) : undefined),
      deliveries,
      nudgeProject: (path) => nudged.push(path),
      nudgeReview: (project, iid) => nudged.push(`${project}!${iid}`),
      lookAtReaders: () => nudged.push("readers"),
      lookAtPipeline: ({ pipeline }) => nudged.push(`pipeline ${pipeline}`),
    }),
  );
  app.use(errorMiddleware(createLogger("test", "silent")));
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/gitlab`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await deliveries.close();
  await rm(folder, { recursive: true, force: true });
});

function pushOf(id: number, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    object_kind: "push",
    before: "a".repeat(40),
    after,
    ref: "refs/heads/main",
    project_id: id,
    project: { id, path_with_namespace: `dtaas/user${id}`, default_branch: "main" },
    ...changes,
  });
}

/** Sends as GitLab does, signed with the key of `signedFor`. */
function deliver(
  body: string,
  options: {
    project?: number | string;
    signedFor?: number;
    id?: string;
    headers?: Record<string, string>;
  } = {},
) {
  const id = options.id ?? crypto.randomUUID();
  const { token, signingToken } = projectSecret(master, options.signedFor ?? 7);
  const now = new Date();
  return fetch(`${url}?project=${options.project ?? 7}`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-gitlab-event": "Push Hook",
      "x-gitlab-token": token,
      "idempotency-key": id,
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
      "webhook-signature": new Webhook(signingToken).sign(id, now, body),
      ...options.headers,
    },
  });
}

test("a push is answered with 202 and its id, and its project is nudged once however often it is sent", async () => {
  const id = crypto.randomUUID();
  const first = await deliver(pushOf(7), { id });
  expect(first.status).toBe(202);
  expect(await first.json()).toEqual({ delivery: id });
  const again = await deliver(pushOf(7), { id });
  expect(again.status).toBe(200);
  expect(await again.json()).toEqual({ delivery: id });
  expect(nudged).toEqual(["dtaas/user7"]);
  expect(await deliveries.get(id)).toMatchObject({ outcome: "accepted", event: "pushed main bbbbbbbb" });
});

test("a host that cannot sign is let in by its token", async () => {
  const { token } = projectSecret(master, 7);
  const response = await fetch(`${url}?project=7`, {
    method: "POST",
    body: pushOf(7),
    headers: { "content-type": "application/json", "x-gitlab-event": "Push Hook", "x-gitlab-token": token },
  });
  expect(response.status).toBe(202);
});

test("an event that is nothing to us is answered with 200 and does nothing", async () => {
  const response = await deliver(pushOf(7), { headers: { "x-gitlab-event": "Emoji Hook" } });
  expect(response.status).toBe(200);
  expect(nudged).toEqual([]);
  expect(await deliveries.list(1)).toMatchObject([{ outcome: "ignored" }]);
});

test("another project's secret, or a body about another project, is refused and leaves no trace", async () => {
  expect((await deliver(pushOf(8), { project: 8, signedFor: 7 })).status).toBe(401);
  expect((await deliver(pushOf(8), { project: 7, signedFor: 7 })).status).toBe(401);
  expect((await deliver(pushOf(7), { project: 0, signedFor: 7 })).status).toBe(401);
  expect((await deliver(pushOf(7), { headers: { "webhook-signature": "v1,AAAA" } })).status).toBe(401);
  expect(nudged).toEqual([]);
  expect(await deliveries.list(10)).toEqual([]);
});

test("a replay with a fresh idempotency key is still the same delivery", async () => {
  const id = crypto.randomUUID();
  await deliver(pushOf(7), { id });
  const replayed = await deliver(pushOf(7), { id, headers: { "idempotency-key": crypto.randomUUID() } });
  expect(await replayed.json()).toEqual({ delivery: id });
  expect(nudged).toHaveLength(1);
});

test("without a configured secret everything is refused", async () => {
  isConfigured = false;
  expect((await deliver(pushOf(7))).status).toBe(503);
});

test.each([
  ["a missing project", { project: "" }, 400],
  ["a project that is no number", { project: "7%20or%201" }, 400],
  ["a project that is there twice", { project: "7&project=8" }, 400],
  ["another kind of body", { headers: { "content-type": "text/plain" } }, 415],
  ["a compressed body", { headers: { "content-encoding": "gzip" } }, 415],
])("%s is refused", async (_title, options, status) => {
  expect((await deliver(pushOf(7), options)).status).toBe(status);
  expect(nudged).toEqual([]);
});

test("deep, broken and too large bodies are refused by those who may send, and the next delivery passes", async () => {
  expect((await deliver("[".repeat(500_000))).status).toBe(400);
  expect((await deliver("{")).status).toBe(400);
  expect((await deliver(JSON.stringify("x".repeat(maxBodyBytes)))).status).toBe(413);
  expect((await deliver(pushOf(7))).status).toBe(202);
});

test("a stranger is refused before a byte of the body is read, and the connection is closed", async () => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(
    "POST /webhooks/gitlab?project=7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      "X-Gitlab-Token: wrong\r\nContent-Length: 1000000\r\n\r\n{",
  );
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString();
  });
  await once(socket, "close");
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer.toLowerCase()).toContain("connection: close");
});

test("a commit of a push of twenty commits with long messages still fits", async () => {
  const commits = Array.from({ length: 20 }, (_, n) => ({
    id: after,
    message: "m".repeat(10_000),
    added: [`f${n}`],
  }));
  expect((await deliver(pushOf(7, { commits }))).status).toBe(202);
});

const pipelineOf = (project: number, id: number) =>
  JSON.stringify({
    object_kind: "pipeline",
    object_attributes: { id, status: "running" },
    project: { id: project, path_with_namespace: `dtaas/user${project}` },
  });

test("an event of a pipeline wakes those who follow it, and leaves nothing in the journal", async () => {
  const headers = { "x-gitlab-event": "Pipeline Hook" };
  expect((await deliver(pipelineOf(7, 31), { headers })).status).toBe(202);
  expect(nudged).toEqual(["pipeline 31"]);
  expect(await deliveries.list(10)).toEqual([]);
  expect((await deliver(pipelineOf(8, 32), { headers })).status).toBe(401); // another project's
  expect(nudged).toEqual(["pipeline 31"]);
});
