import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { type RunningForge, startForge } from "#embedded/forge/start-forge";
import { Mirrors } from "../assets/mirrors.ts";
import { GitLabForge } from "../forge/gitlab/gitlab-forge.ts";
import { errorMiddleware } from "../http/error-middleware.ts";
import { webhookRoute } from "../http/webhook-route.ts";
import { Deliveries } from "./deliveries.ts";
import { projectSecret } from "./project-secret.ts";

const master = "0123456789abcdef0123456789abcdef";
let folder: string;
let running: RunningForge;
let token: string;
let deliveries: Deliveries;
let server: Server;
let url: string;
const nudged: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "intake-"));
  const logger = createLogger("forge", "silent");
  running = await startForge({ dataFolder: join(folder, "forge"), logger });
  await running.admin.ensureUser({ username: "root", name: "Root", admin: true });
  await running.admin.ensureProject("dtaas/user1", { visibility: "private" });
  token = await running.admin.ensureToken("root", "platform", ["api", "write_repository"]);
  deliveries = await Deliveries.open(join(folder, "journal"), () => {});
  const app = express();
  const nudgeProject = (path: string) => void nudged.push(path);
  app.use(
    webhookRoute({
      hostOf: () => ({ kind: "gitlab", name: undefined }),
      secretOf: (id) => projectSecret(master, id),
      deliveries,
      nudgeProject,
      nudgeReview: () => {},
      lookAtReaders: () => {},
      lookAtPipeline: () => {},
    }),
  );
  app.use(errorMiddleware(logger));
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/gitlab`;
});

afterAll(async () => {
  await running.close();
  server.closeAllConnections();
  server.close();
  await deliveries.close();
  await rm(folder, { recursive: true, force: true });
});

async function commit(content: string, branch = "main"): Promise<string> {
  const project = encodeURIComponent("dtaas/user1");
  const response = await fetch(`${running.url}/api/v4/projects/${project}/repository/commits`, {
    method: "POST",
    headers: { "private-token": token, "content-type": "application/json" },
    body: JSON.stringify({
      branch,
      ...(branch === "main" ? {} : { start_branch: "main" }),
      commit_message: "change",
      actions: [{ action: "create", file_path: `${content}.txt`, content }],
    }),
  });
  expect(response.status).toBe(201);
  return String(((await response.json()) as { id: string }).id);
}

/** What our side answered to the project's webhooks, as the host remembers it. */
async function answers(projectId: number): Promise<unknown[]> {
  const hooks = `${running.url}/api/v4/projects/${projectId}/hooks`;
  const ask = async (address: string) =>
    (await (await fetch(address, { headers: { "private-token": token } })).json()) as Record<
      string,
      unknown
    >[];
  const events = await Promise.all((await ask(hooks)).map(({ id }) => ask(`${hooks}/${id}/events`)));
  return events.flat().map((event) => event["response_status"]);
}

test("a push on the Git host arrives signed, is journalled and followed to its outcome", async () => {
  const forge = new GitLabForge({ url: running.url, token });
  const project = await forge.project("dtaas/user1");
  if (project === undefined) throw new Error("the project is missing");
  await forge.ensureHook(project, {
    url: `${url}?project=${project.id}`,
    ...projectSecret(master, project.id),
  });

  const head = await commit("one");
  await expect.poll(() => nudged, { timeout: 20_000 }).toEqual(["dtaas/user1"]);
  const [delivery] = await deliveries.list(1);
  expect(delivery).toMatchObject({
    project: "dtaas/user1",
    outcome: "accepted",
    event: `pushed main ${head.slice(0, 8)}`,
  });

  const filled = await forge.project("dtaas/user1");
  if (filled === undefined) throw new Error("the project is missing");
  const mirrors = new Mirrors({ folder: join(folder, "git"), git: {} });
  expect(await mirrors.fetch(filled, forge.gitAccess(filled))).toBe(head);
  deliveries.settle("dtaas/user1", { upTo: deliveries.mark(), outcome: "applied", revision: head });
  expect(await deliveries.get(delivery?.id ?? "")).toMatchObject({ outcome: "applied", revision: head });

  await commit("two", "feature");
  await expect
    .poll(async () => (await deliveries.list(1))[0]?.event, { timeout: 20_000 })
    .toMatch(/^pushed feature /);
  expect((await deliveries.list(1))[0]).toMatchObject({ outcome: "ignored" });
  expect(nudged).toHaveLength(1);
});

test("a webhook whose secret somebody changed is refused, and the next look mends it", async () => {
  const forge = new GitLabForge({ url: running.url, token });
  const project = await forge.project("dtaas/user1");
  if (project === undefined) throw new Error("the project is missing");
  const before = (await deliveries.list(100)).length;
  const address = `${url}?project=${project.id}`;
  const wrong = projectSecret("another-master-secret-of-32-bytes", project.id);
  await forge.ensureHook(project, { url: address, ...wrong });
  await commit("three");
  await expect.poll(() => answers(project.id), { timeout: 20_000 }).toContain("401");
  await forge.ensureHook(project, { url: address, ...projectSecret(master, project.id) });
  const head = await commit("four");
  const event = `pushed main ${head.slice(0, 8)}`;
  await expect.poll(async () => (await deliveries.list(1))[0]?.event, { timeout: 20_000 }).toBe(event);
  expect(await deliveries.list(100)).toHaveLength(before + 1);
});
