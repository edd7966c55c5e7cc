import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson } from "#core/atomic-file";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";

let api: ApiFixture;
let host: Server;
let asked: { method: string; url: string; headers: IncomingMessage["headers"]; bytes: number }[];
let answer: { status: number; headers: Record<string, string>; body: string };

beforeEach(async () => {
  api = await startApi();
  asked = [];
  answer = { status: 200, headers: { "content-type": "application/x-git-upload-pack-result" }, body: "pack" };
  host = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    asked.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, bytes });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }).listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => host.once("listening", resolve));
  api.forge.gitUrl = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
});
afterEach(async () => {
  host.closeAllConnections();
  await new Promise<void>((resolve) => host.close(() => resolve()));
  await api.close();
});

async function begin(user: string): Promise<WorkspaceRequest> {
  const verb = await api.ask(user, "PUT", `/workspaces/${user}/state`, { state: "running" });
  expect(verb.status).toBe(202);
  return (await readJson(join(api.data.workspaceRequests, `${user}.json`))) as WorkspaceRequest;
}

const basic = (user: string, token: string) => `Basic ${Buffer.from(`${user}:${token}`).toString("base64")}`;
const git = (path: string, authorization?: string, init: RequestInit = {}) =>
  fetch(`${api.url}${path}`, {
    redirect: "manual",
    ...init,
    headers: { ...init.headers, ...(authorization ? { authorization } : {}) },
  });
const refs = "/git/dtaas/user1.git/info/refs?service=git-upload-pack";

test("a workspace reads and pushes its own repository, with the platform's credentials and not its own", async () => {
  const { gitToken } = await begin("user1");
  const mine = basic("user1", gitToken);
  const read = await git(refs, mine, {
    headers: { "git-protocol": "version=2", cookie: "a=b", "x-forwarded-for": "1.2.3.4" },
  });
  expect([read.status, await read.text()]).toEqual([200, "pack"]);
  const body = Buffer.alloc(3_000_000, 1);
  const push = await git("/git/dtaas/user1.git/git-receive-pack", mine, {
    method: "POST",
    body,
    headers: { "content-type": "application/x-git-receive-pack-request" },
  });
  expect(push.status).toBe(200);
  expect(asked.map(({ method, url, bytes }) => [method, url, bytes])).toEqual([
    ["GET", "/dtaas/user1.git/info/refs?service=git-upload-pack", 0],
    ["POST", "/dtaas/user1.git/git-receive-pack", body.length],
  ]);
  for (const { headers } of asked) {
    expect(headers.authorization).toBe(basic("bot", "token-of-the-platform"));
    expect(headers.cookie ?? headers["x-forwarded-for"]).toBeUndefined();
  }
  expect(asked[0]?.headers["git-protocol"]).toBe("version=2");
});

test("no token, a wrong one, another's, a former session's and a stopped one's open nothing", async () => {
  const first = await begin("user1");
  const other = await begin("user2");
  expect((await git(refs)).status).toBe(401);
  expect((await git(refs, "Basic !!!")).status).toBe(401);
  expect((await git(refs, basic("user1", ""))).status).toBe(401);
  expect((await git(refs, basic("user1", other.gitToken))).status).toBe(401);
  expect((await git(refs, basic("user1", first.accessToken))).status).toBe(401);
  expect((await git(refs, basic("../user1", first.gitToken))).status).toBe(401);
  expect((await git(refs, basic("nobody", first.gitToken))).status).toBe(401);
  expect((await git(refs, basic("user2", other.gitToken))).status).toBe(404); // another project
  await api.ask("user1", "POST", "/workspaces/user1/restart");
  expect((await git(refs, basic("user1", first.gitToken))).status).toBe(401);
  const second = (await readJson(join(api.data.workspaceRequests, "user1.json"))) as WorkspaceRequest;
  expect((await git(refs, basic("user1", second.gitToken))).status).toBe(200);
  await api.ask("user1", "PUT", "/workspaces/user1/state", { state: "stopped" });
  expect((await git(refs, basic("user1", second.gitToken))).status).toBe(401);
  expect(asked).toHaveLength(1);
});

test.each([
  "/git/dtaas/user1.git/../user2.git/info/refs?service=git-upload-pack",
  "/git/dtaas/../dtaas/user1.git/info/refs?service=git-upload-pack",
  "/git/dtaas/./user1.git/info/refs?service=git-upload-pack",
  "/git/dtaas%2fuser1.git/info/refs?service=git-upload-pack",
  "/git/dtaas/user%31.git/info/refs?service=git-upload-pack",
  "/git//dtaas/user1.git/info/refs?service=git-upload-pack",
  "/git/dtaas/user1.git/info/refs?service=git-upload-archive",
  "/git/dtaas/user1.git/info/refs",
  "/git/dtaas/user1.git/info/refs?service=git-upload-pack&service=git-receive-pack",
  "/git/dtaas/user1.git/objects/info/packs",
  "/git/dtaas/user1.git/HEAD",
  "/git/dtaas/user1.git/info/lfs/objects/batch",
  "/git/api/v4/user.git/info/refs?service=git-upload-pack",
  "/git/dtaas/user1.git/git-receive-pack", // not with GET
  "/git/dtaas/user1.git/info/refs?service=git-upload-pack%00",
])("the address %s leads nowhere", async (path) => {
  const { gitToken } = await begin("user1");
  // As it stands: a client of fetch would tidy it up first.
  expect(await rawStatus(path, basic("user1", gitToken))).toBe(404);
  expect(asked).toEqual([]);
});

test("a redirect of the Git host is not followed and not handed on: credentials are for one place", async () => {
  const { gitToken } = await begin("user1");
  answer = { status: 302, headers: { location: "http://127.0.0.1:1/" }, body: "" };
  const response = await git(refs, basic("user1", gitToken));
  expect([response.status, response.headers.get("location")]).toEqual([502, null]);
  answer = { status: 401, headers: { "www-authenticate": "Basic realm=host" }, body: "" };
  expect((await git(refs, basic("user1", gitToken))).status).toBe(502); // git would ask for a password
  answer = {
    status: 403,
    headers: { "content-type": "text/plain", "set-cookie": "a=b" },
    body: "protected branch",
  };
  const refused = await git(refs, basic("user1", gitToken));
  expect([refused.status, await refused.text(), refused.headers.get("set-cookie")]).toEqual([
    403,
    "protected branch",
    null,
  ]);
});

test("a user who is no maintainer any more reads and does not push; a stranger does neither", async () => {
  api.forge.level["dtaas/user1"] = { user1: 30 };
  const { gitToken } = await begin("user1");
  const mine = basic("user1", gitToken);
  expect((await git(refs, mine)).status).toBe(200);
  const push = await git(refs.replace("upload", "receive"), mine);
  expect([push.status, await push.text()]).toEqual([403, expect.stringContaining("role of a maintainer")]);
});

test("a Git host that is away is said so, in words that git shows", async () => {
  const { gitToken } = await begin("user1");
  api.forge.gitUrl = "http://127.0.0.1:1";
  const response = await git(refs, basic("user1", gitToken));
  expect([response.status, response.headers.get("content-type")]).toEqual([502, "text/plain; charset=utf-8"]);
});

function rawStatus(path: string, authorization: string): Promise<number> {
  const { hostname, port } = new URL(api.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
      );
    });
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])));
  });
}
