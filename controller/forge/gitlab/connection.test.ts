import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TryLaterError } from "#core/errors";
import type { ConnectionOptions } from "./connection.ts";
import { GitLabForge } from "./gitlab-forge.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const project = { id: 7, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
const status = {
  commit: "a".repeat(40),
  ref: "main",
  name: "dtaas/x",
  state: "success",
  description: "",
} as const;

let server: Server;
let url: string;
let handler: Handler;
let requests: { method: string; url: string; headers: IncomingMessage["headers"] }[];

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    request.resume();
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A forge whose pauses take no time and are written down. */
function forgeWith(options: ConnectionOptions = {}): { forge: GitLabForge; pauses: number[] } {
  const pauses: number[] = [];
  const pause = async (ms: number) => void pauses.push(ms);
  return { forge: new GitLabForge({ url, token: "secret", connection: { pause, ...options } }), pauses };
}

function answer(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** Answers with each of these in turn, the last one for ever. */
function inTurn(...answers: Handler[]): Handler {
  let next = 0;
  return (request, response) => {
    const chosen = answers[Math.min(next, answers.length - 1)];
    next += 1;
    chosen?.(request, response);
  };
}

const branch: Handler = (_, response) =>
  answer(response, 200, { name: "main", commit: { id: "b".repeat(40) } });

test("the request is the one that GitLab documents, below a sub-path as well", async () => {
  handler = branch;
  const { forge } = forgeWith();
  await forge.head({ ...project, defaultBranch: "feature/x" });
  expect(requests[0]).toMatchObject({
    method: "GET",
    url: "/api/v4/projects/7/repository/branches/feature%2Fx",
    headers: { authorization: "Bearer secret" },
  });
  const below = new GitLabForge({ url: `${url}/gitlab/`, token: "secret" });
  await below.head(project);
  expect(requests[1]?.url).toBe("/gitlab/api/v4/projects/7/repository/branches/main");
});

test("the pause that a 429 asks for is kept, then the answer comes", async () => {
  handler = inTurn(
    (_, response) => response.writeHead(429, { "retry-after": "3" }).end("Retry later"),
    branch,
  );
  const { forge, pauses } = forgeWith();
  expect(await forge.head(project)).toBe("b".repeat(40));
  expect(requests).toHaveLength(2);
  expect(pauses[0]).toBeGreaterThanOrEqual(2_900);
  expect(pauses[0]).toBeLessThan(3_500);
});

test("a pause longer than the budget is handed on at once, for everybody who uses the account", async () => {
  handler = (_, response) => response.writeHead(429, { "retry-after": "120" }).end("Retry later");
  const { forge } = forgeWith();
  const error = await forge.head(project).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TryLaterError);
  expect((error as TryLaterError).retryAfterMs).toBeGreaterThan(100_000);
  await expect(forge.project("dtaas/user2")).rejects.toBeInstanceOf(TryLaterError);
  expect(requests).toHaveLength(1);
});

test.each([502, 503, 504, 500])("a %i is tried again with growing pauses", async (code) => {
  handler = inTurn(
    (_, response) => answer(response, code, {}),
    (_, response) => answer(response, code, {}),
    (_, response) => answer(response, code, {}),
    branch,
  );
  const { forge, pauses } = forgeWith();
  expect(await forge.head(project)).toBe("b".repeat(40));
  expect(pauses).toHaveLength(3);
  expect(pauses[2] ?? 0).toBeGreaterThan(pauses[0] ?? 0);
});

test("a host that stays broken is TryLaterError when the budget is used up", async () => {
  handler = (_, response) => answer(response, 502, {});
  const forge = new GitLabForge({ url, token: "secret", connection: { budgetMs: 300 } });
  await expect(forge.head(project)).rejects.toBeInstanceOf(TryLaterError);
});

test("a host that does not answer in time is TryLaterError", async () => {
  handler = () => {};
  const forge = new GitLabForge({
    url,
    token: "secret",
    connection: { attemptTimeoutMs: 50, budgetMs: 200 },
  });
  await expect(forge.head(project)).rejects.toBeInstanceOf(TryLaterError);
});

test("an answer that breaks off is TryLaterError", async () => {
  handler = (_, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"commit":');
    setImmediate(() => response.destroy());
  };
  const forge = new GitLabForge({ url, token: "secret", connection: { budgetMs: 300 } });
  await expect(forge.head(project)).rejects.toBeInstanceOf(TryLaterError);
});

test("a host that is down is TryLaterError", async () => {
  const forge = new GitLabForge({
    url: "http://127.0.0.1:1",
    token: "secret",
    connection: { budgetMs: 300 },
  });
  await expect(forge.head(project)).rejects.toBeInstanceOf(TryLaterError);
});

test("a busy commit status is tried again until it is set", async () => {
  const busy = { message: "Another update to this commit status is in progress" };
  handler = inTurn(
    (_, response) => answer(response, 409, busy),
    (_, response) => answer(response, 201, { id: 1 }),
  );
  const { forge } = forgeWith();
  await forge.setStatus(project, status);
  expect(requests.map(({ method }) => method)).toEqual(["POST", "POST"]);
});

test("a commit that may have been made is not made again", async () => {
  const file = { blob_id: "1", last_commit_id: "2" };
  handler = (request, response) =>
    request.method === "GET" ? answer(response, 200, file) : answer(response, 502, {});
  const { forge } = forgeWith();
  const change = { token: "t", file: "dt.yaml", content: "x", message: "m", baseCommit: "c".repeat(40) };
  await expect(forge.commitFile(project, change)).rejects.toBeInstanceOf(TryLaterError);
  expect(requests.filter(({ method }) => method === "POST")).toHaveLength(1);
});

test("a refused token and a forbidden action say what to do", async () => {
  const { forge } = forgeWith();
  handler = (_, response) => answer(response, 401, { message: "401 Unauthorized" });
  await expect(forge.head(project)).rejects.toMatchObject({ code: "FORGE_TOKEN_REFUSED" });
  handler = (_, response) =>
    answer(response, 403, { error: "insufficient_scope", error_description: "needs more", scope: "api" });
  await expect(forge.head(project)).rejects.toMatchObject({
    code: "FORGE_FORBIDDEN",
    message: expect.stringContaining("needs more"),
  });
});

test("a redirect to another host is refused and does not carry the token there", async () => {
  handler = (_, response) => response.writeHead(302, { location: "http://127.0.0.1:9/elsewhere" }).end();
  const { forge } = forgeWith();
  await expect(forge.head(project)).rejects.toMatchObject({ code: "FORGE_REDIRECTS" });
  handler = inTurn(
    (_, response) => response.writeHead(301, { location: "/api/v4/projects/8" }).end(),
    (_, response) =>
      answer(response, 200, { id: 8, path_with_namespace: "dtaas/new", web_url: "", default_branch: null }),
  );
  expect(await forge.project("dtaas/old")).toMatchObject({ id: 8, path: "dtaas/new" });
});

test("a page of a proxy instead of GitLab is named as such", async () => {
  handler = (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Sign in</h1>");
  const { forge } = forgeWith();
  await expect(forge.head(project)).rejects.toMatchObject({ code: "FORGE_ANSWER_ODD" });
});

test("requests under way end when the platform stops", async () => {
  handler = () => {};
  const stop = new AbortController();
  const forge = new GitLabForge({ url, token: "secret", connection: { signal: stop.signal } });
  const asked = expect(forge.head(project)).rejects.toBeInstanceOf(TryLaterError);
  await expect.poll(() => requests.length).toBe(1);
  stop.abort();
  await asked;
});

test("an old GitLab that knows neither signing nor descriptions gets its webhook written once per start", async () => {
  const events = {
    push_events: true,
    merge_requests_events: true,
    note_events: true,
    pipeline_events: true,
    job_events: true,
  };
  const hooks = [{ id: 1, url: "http://dtaas/hook", ...events, enable_ssl_verification: false }];
  handler = (request, response) => answer(response, 200, request.method === "GET" ? hooks : hooks[0]);
  const { forge } = forgeWith();
  const wanted = { url: "http://dtaas/hook", token: "t", signingToken: "whsec_x" };
  await forge.ensureHook(project, wanted);
  await forge.ensureHook(project, wanted);
  expect(requests.map(({ method }) => method)).toEqual(["GET", "PUT", "GET"]);
});

test("a webhook that GitLab has given up on is made anew", async () => {
  const hooks = [{ id: 1, url: "http://dtaas/hook", push_events: true, alert_status: "disabled" }];
  handler = (request, response) => {
    if (request.method === "DELETE") response.writeHead(204).end();
    else answer(response, 200, request.method === "GET" ? hooks : {});
  };
  const { forge } = forgeWith();
  await forge.ensureHook(project, { url: "http://dtaas/hook", token: "t", signingToken: "whsec_x" });
  expect(requests.map(({ method }) => method)).toEqual(["GET", "DELETE", "POST"]);
});

test("many heads are one question beside REST; what GitLab does not plainly tell of a project is left out", async () => {
  const told = (id: number, repository: unknown) => ({ id: `gid://gitlab/Project/${id}`, repository });
  const nodes = [
    told(1, { empty: false, tree: { lastCommit: { sha: "b".repeat(40) } } }),
    told(2, { empty: true, tree: null }),
    told(3, { empty: false, tree: null }),
    told(4, null),
    told(5, { empty: false, tree: { lastCommit: { sha: "--upload-pack=x" } } }),
    null,
  ];
  handler = (_, response) => answer(response, 200, { data: { projects: { nodes } } });
  const { forge } = forgeWith();
  const heads = await forge.heads([1, 2, 3, 4, 5, 6].map((id) => ({ ...project, id })));
  expect([...heads]).toEqual([
    [1, "b".repeat(40)],
    [2, undefined],
  ]);
  expect(requests.map(({ method, url: asked }) => `${method} ${asked}`)).toEqual(["POST /api/graphql"]);
  expect(requests[0]?.headers).toMatchObject({ authorization: "Bearer secret" });
});

test.each<[string, Handler]>([
  ["refuses the question", (_, response) => answer(response, 200, { errors: [{ message: "Timeout" }] })],
  ["has no GraphQL", (_, response) => answer(response, 404, { error: "404 Not Found" })],
  ["does not let us", (_, response) => answer(response, 403, { errors: [{ message: "no" }] })],
  ["fails at it again and again", (_, response) => answer(response, 502, {})],
])(
  "a host that %s tells no heads of many, which is no fault, and is not asked again soon",
  async (_, refuse) => {
    handler = refuse;
    const { forge } = forgeWith({ budgetMs: 50, pause: async () => {} });
    expect((await forge.heads([project])).size).toBe(0);
    const asked = requests.length;
    expect((await forge.heads([project])).size).toBe(0);
    expect(requests.length).toBe(asked);
  },
);
