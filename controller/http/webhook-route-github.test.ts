import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { idsPerHost } from "../forge/host-names.ts";
import { Deliveries } from "../intake/deliveries.ts";
import { projectSecret } from "../intake/project-secret.ts";
import { errorMiddleware } from "./error-middleware.ts";
import { webhookRoute } from "./webhook-route.ts";

const master = "0123456789abcdef0123456789abcdef";
const ofUser = 7; // on GitLab
const further = idsPerHost + 7; // on GitHub
let folder: string;
let deliveries: Deliveries;
let server: Server;
let url: string;
let nudged: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "webhook-github-"));
  deliveries = await Deliveries.open(folder, () => {});
  nudged = [];
  const app = express();
  app.set("query parser", "simple");
  app.use(
    webhookRoute({
      hostOf: (id) =>
        id < idsPerHost ? { kind: "gitlab", name: undefined } : { kind: "github", name: "github.com" },
      secretOf: (id) => projectSecret(master, id),
      deliveries,
      nudgeProject: (path) => nudged.push(path),
      nudgeReview: (project, iid) => nudged.push(`${project}!${iid}`),
      lookAtReaders: () => nudged.push("readers"),
      lookAtPipeline: () => nudged.push("pipeline"),
    }),
  );
  app.use(errorMiddleware(createLogger("test", "silent")));
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/github`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await deliveries.close();
  await rm(folder, { recursive: true, force: true });
});

const push = (id = 7) =>
  JSON.stringify({
    ...{ ref: "refs/heads/main", before: "a".repeat(40), after: "b".repeat(40) },
    repository: { id, full_name: "acme/common", default_branch: "main" },
  });

/** Sends as GitHub does, signed with the key of `signedFor`. */
function deliver(
  body: string,
  options: {
    project?: number;
    signedFor?: number;
    event?: string;
    id?: string;
    headers?: Record<string, string>;
  } = {},
) {
  const { project = further, signedFor = further, event = "push", id = crypto.randomUUID() } = options;
  const mac = createHmac("sha256", projectSecret(master, signedFor).signingToken).update(body).digest("hex");
  return fetch(`${url}?project=${project}&key=0123456789abcdef`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": event,
      "x-github-delivery": id,
      "x-hub-signature-256": `sha256=${mac}`,
      ...options.headers,
    },
  });
}

test("a push to a repository of the further host is its project's as we call it, once however often it is sent", async () => {
  const id = crypto.randomUUID();
  expect((await deliver(push(), { id })).status).toBe(202);
  const again = await deliver(push(), { id });
  expect([again.status, await again.json()]).toEqual([200, { delivery: id }]);
  expect(nudged).toEqual(["github.com/acme/common"]);
  expect(await deliveries.get(id)).toMatchObject({ project: "github.com/acme/common", outcome: "accepted" });
});

test("a ping is answered and does nothing; members of the repository are asked for again", async () => {
  const repository = { id: 7, full_name: "acme/common" };
  expect(
    (await deliver(JSON.stringify({ zen: "x", hook_id: 1, repository }), { event: "ping" })).status,
  ).toBe(200);
  expect((await deliver(JSON.stringify({ action: "added", repository }), { event: "member" })).status).toBe(
    202,
  );
  expect(nudged).toEqual(["readers"]);
});

test("hostile deliveries are refused and leave no trace", async () => {
  expect((await deliver(push(), { signedFor: ofUser })).status).toBe(401);
  expect((await deliver(push(8))).status).toBe(401); // of another repository
  expect((await deliver(push(), { headers: { "x-hub-signature-256": "sha256=00" } })).status).toBe(401);
  // The secret of a project on GitLab, in GitHub's language: some of it is sent to whoever changes a hook's address.
  expect((await deliver(push(), { project: ofUser, signedFor: ofUser })).status).toBe(401);
  expect(
    (await deliver(push(), { headers: { "content-type": "application/x-www-form-urlencoded" } })).status,
  ).toBe(415);
  expect((await deliver("{", {})).status).toBe(400);
  const { token } = projectSecret(master, further);
  const asGitLab = {
    "content-type": "application/json",
    "x-gitlab-event": "Push Hook",
    "x-gitlab-token": token,
  };
  const toGitLab = await fetch(`${url.replace("github", "gitlab")}?project=${further}`, {
    ...{ method: "POST", body: push(), headers: asGitLab },
  });
  expect(toGitLab.status).toBe(401);
  expect(nudged).toEqual([]);
  expect(await deliveries.list(10)).toEqual([]);
});
