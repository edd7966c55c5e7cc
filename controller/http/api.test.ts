import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "#core/logger";
import type { Items, Problem, RunView, SavedOutputs, TwinView } from "#schemas/api";
import type { RunRequest } from "#schemas/desired-state";
import { checkRunRequest } from "#schemas/documents/check-documents";
import { OpenApiChecker } from "#schemas/openapi-checker";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  outcomeOf,
  previewsOf,
  revision,
  spec,
  startApi,
} from "../../test/fixtures/api-fixture.ts";
import { Memberships } from "../auth/memberships.ts";
import { Rights } from "../auth/rights.ts";
import { maxWaitingRequests } from "../requests/request-book.ts";
import { apiRoutes } from "./create-app.ts";
import { openApiDocument } from "./openapi.ts";

const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const id = "r0000000000000000a";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => await api.close());

/** Asks, holds the answer against the OpenAPI document, and gives its status and body. */
async function ask<T>(who: string | undefined, method: string, path: string, body?: unknown) {
  const response = await api.ask(who, method, path, body);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const plain = decodeURI(path.split("?", 1)[0] ?? "");
  expect(checker.problems({ method, path: plain, status: response.status, type, body: text })).toEqual([]);
  return { status: response.status, body: JSON.parse(text) as T, headers: response.headers };
}

const observedTank = { name: "tank", phase: "live" as const, since: "2026-01-01T00:00:00.000Z", restarts: 0 };

test("every route of the router is in the OpenAPI document, and nothing else is", () => {
  const logger = createLogger("test", "silent");
  const memberships = new Memberships(api.forge, logger);
  const deps = {
    data: api.data,
    forge: api.forge,
    logger,
    metrics: api.metrics,
    stopping: new AbortController().signal,
  };
  const routes = apiRoutes(
    deps as unknown as Parameters<typeof apiRoutes>[0],
    {
      memberships,
      rights: new Rights(memberships, "dtaas", async () => false),
    } as unknown as Parameters<typeof apiRoutes>[1],
  );
  const made = routes.map(({ method, path }) => `${method.toUpperCase()} ${path.replace("+}", "}")}`);
  expect([...made, "GET /openapi.json"].sort()).toEqual(checker.operations().sort());
});

test("a twin shows what Git asks for beside what was observed", async () => {
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("new", { state: "stopped" })], {
    generation: 3,
    refused: [
      {
        name: "broken",
        revision,
        diagnostics: [
          { code: "unknown-field", severity: "error", file: "a/dt.yaml", line: 3, column: 5, message: "no" },
        ],
      },
    ],
  });
  await api.observe(
    "user1",
    [
      { ...observedTank, containerId: "c1", runId: id, revision },
      { ...observedTank, name: "removed", phase: "stopping" },
    ],
    { generation: 2 },
  );
  await api.writeRun(
    manifestOf({ id, user: "user1", twin: "tank" }, { operation: "execute", cause: "state" }),
  );
  const { body } = await ask<Items<TwinView>>("reporter", "GET", "/twins");
  expect(body.items.map(({ name, phase, state }) => `${name} ${phase} ${state}`)).toEqual([
    "broken refused null",
    "new pending stopped",
    "removed stopping null",
    "tank live running",
  ]);
  const tank = await ask<TwinView>("reporter", "GET", "/twins/user1/tank");
  expect(tank.body).toMatchObject({
    title: "The tank",
    containerId: "c1",
    applied: false,
    operations: ["create", "execute"],
    lastRun: { id, operation: "execute", state: "running" },
  });
  expect(body.items[0]?.broken?.diagnostics[0]?.line).toBe(3);
});

test("a list holds only what the caller may see, and can be narrowed", async () => {
  api.forge.level["dtaas/user2"] = {};
  await api.desire("user1", [desiredTwin("tank")]);
  await api.desire("user2", [
    desiredTwin("other", { metadata: { name: "other", title: "", description: "", labels: {} } }),
  ]);
  await api.observe("user1", [observedTank]);
  const names = async (who: string, query = "") =>
    (await ask<Items<TwinView>>(who, "GET", `/twins${query}`)).body.items.map(({ name }) => name);
  expect(await names("stranger")).toEqual([]);
  expect(await names("reporter")).toEqual(["tank"]);
  expect(await names("admin")).toEqual(["tank", "other"]);
  expect(await names("admin", "?user=user2")).toEqual(["other"]);
  expect(await names("reporter", "?user=user2")).toEqual([]);
  expect(await names("admin", "?phase=live&phase=failed")).toEqual(["tank"]);
  expect(await names("admin", "?label=domain=thermal")).toEqual(["tank"]);
  expect(await names("admin", "?label=domain=other")).toEqual([]);
  expect((await ask("admin", "GET", "/twins?label=oops")).status).toBe(400);
});

test("one document that cannot be read does not hide the others", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  await writeFile(join(api.data.desired, "user2.json"), '{"version":1}');
  await writeFile(join(api.data.desired, "user3.json"), "{");
  const { body } = await ask<Items<TwinView>>("admin", "GET", "/twins");
  expect(body.items.map(({ name }) => name)).toEqual(["tank"]);
});

test("a project that may not be seen is answered like one that is not there", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const hidden = await ask<Problem>("stranger", "GET", "/twins/user1/tank");
  const missing = await ask<Problem>("stranger", "GET", "/twins/nobody/tank");
  expect(hidden.status).toBe(404);
  expect({ ...hidden.body, requestId: "" }).toEqual({ ...missing.body, requestId: "" });
});

test("an accepted run is on disk before it is answered, and the runner is told", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const answer = await ask<{ id: string }>("developer", "POST", "/twins/user1/tank/runs", {
    operation: "create",
  });
  expect(answer.status).toBe(202);
  expect(answer.headers.get("location")).toBe(`/api/v1/twins/user1/tank/runs/${answer.body.id}`);
  const file = join(api.data.requests, "user1", `${answer.body.id}.json`);
  const request: RunRequest = checkRunRequest(JSON.parse(await readFile(file, "utf8")));
  expect(request).toMatchObject({
    user: "user1",
    twin: "tank",
    operation: "create",
    requestedBy: "developer",
  });
  expect(api.nudged).toEqual(["user1"]);
  const run = await ask<RunView>("reporter", "GET", `/twins/user1/tank/runs/${answer.body.id}`);
  expect(run.body).toMatchObject({ state: "waiting", operation: "create", cause: "request" });
});

test("an operation the twin does not have is refused with those it has, and the one probably meant", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const { status, body } = await ask<Problem>("developer", "POST", "/twins/user1/tank/runs", {
    operation: "creat",
  });
  expect(status).toBe(422);
  expect(body).toMatchObject({ code: "OPERATION_UNKNOWN", hint: "did you mean `create`?" });
  expect(body.detail).toContain("create, execute");
  const proto = await ask<Problem>("developer", "POST", "/twins/user1/tank/runs", {
    operation: "constructor",
  });
  expect(proto.status).toBe(422);
});

test("suspended, refused and unknown twins run nothing and say why", async () => {
  const diagnostics = [
    { code: "x", severity: "error" as const, file: "dt.yaml", line: 2, column: 4, message: "no such field" },
  ];
  await api.desire("user1", [desiredTwin("tank", { suspend: true })], {
    refused: [{ name: "broken", revision, diagnostics }],
  });
  const run = async (twin: string) =>
    (await ask<Problem>("developer", "POST", `/twins/user1/${twin}/runs`, { operation: "create" })).body;
  expect(await run("tank")).toMatchObject({ status: 409, code: "TWIN_SUSPENDED" });
  expect(await run("broken")).toMatchObject({
    status: 409,
    code: "TWIN_REFUSED",
    where: { line: 2, column: 4 },
  });
  expect(await run("tnk")).toMatchObject({ status: 404, hint: "did you mean `tank`?" });
  await expect(readdir(join(api.data.requests, "user1"))).rejects.toThrow("ENOENT");
});

test("whoever has a thousand runs waiting is told to wait", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const folder = join(api.data.requests, "user1");
  await mkdir(folder, { recursive: true });
  for (let n = 1; n < maxWaitingRequests; n += 1) await writeFile(join(folder, `r${n}.json`), "{}");
  const run = async () =>
    (await ask("developer", "POST", "/twins/user1/tank/runs", { operation: "create" })).status;
  expect((await Promise.all([run(), run()])).sort()).toEqual([202, 429]);
});

test("a run is cancelled by a file beside its request; one that has ended, or is kept up, is not", async () => {
  const base = "/twins/user1/tank/runs";
  await api.desire("user1", [desiredTwin("tank")]);
  const own = { id, user: "user1", twin: "tank" };
  await api.writeRun(manifestOf(own));
  await api.writeRun(manifestOf({ ...own, id: "r0000000000000000b" }), outcomeOf());
  await api.writeRun(
    manifestOf({ ...own, id: "r0000000000000000c" }, { operation: "execute", cause: "restart" }),
  );
  expect((await ask<RunView>("developer", "DELETE", `${base}/${id}`)).body.cancelRequested).toBe(true);
  expect((await ask("developer", "DELETE", `${base}/${id}`)).status).toBe(202);
  expect(await readdir(join(api.data.requests, "user1"))).toEqual([`${id}.cancel`]);
  const ended = await ask<Problem>("developer", "DELETE", `${base}/r0000000000000000b`);
  expect(ended.body.code).toBe("RUN_ENDED");
  const kept = await ask<Problem>("developer", "DELETE", `${base}/r0000000000000000c`);
  expect(kept.body).toMatchObject({ code: "RUN_KEPT_UP", hint: "stop the twin: dtaas twin stop user1/tank" });
});

test("a former run is done again by its manifest; one that never began cannot be", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  const again = await ask<{ id: string }>("developer", "POST", `/twins/user1/tank/runs/${id}/rerun`);
  const text = await readFile(join(api.data.requests, "user1", `${again.body.id}.json`), "utf8");
  expect(JSON.parse(text)).toMatchObject({ rerunOf: id, operation: "create" });
  const waiting = await ask<Problem>("developer", "POST", `/twins/user1/tank/runs/${again.body.id}/rerun`);
  expect(waiting.body.code).toBe("RUN_NOT_REPEATABLE");
});

test("history is newest first, in pages, with what waits on top", async () => {
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("other")]);
  for (const letter of ["a", "b", "c"]) {
    await api.writeRun(
      manifestOf({ id: `r0000000000000000${letter}`, user: "user1", twin: "tank" }),
      outcomeOf(),
    );
  }
  await ask("developer", "POST", "/twins/user1/other/runs", { operation: "create" });
  const asked = await ask<{ id: string }>("developer", "POST", "/twins/user1/tank/runs", {
    operation: "create",
  });
  const page = async (query: string) =>
    (await ask<Items<RunView>>("reporter", "GET", `/twins/user1/tank/runs${query}`)).body.items.map(
      (run) => run.id,
    );
  expect(await page("?limit=2")).toEqual([asked.body.id, "r0000000000000000c"]);
  expect(await page("?before=r0000000000000000c")).toEqual(["r0000000000000000b", "r0000000000000000a"]);
  expect((await ask("reporter", "GET", "/twins/user1/tank/runs?limit=0")).status).toBe(400);
  expect((await ask("reporter", "GET", "/twins/user1/tank/runs?limit=201")).status).toBe(400);
});

test("start commits the state with the caller's token, keeps comments, and says when nothing changed", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const file = "dtaas/user1:digital_twins/tank/dt.yaml";
  const text =
    "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: {name: tank}\nspec:\n  state: stopped # for now\n";
  api.forge.files.set(file, { text, commit: revision });
  const change = async (state: string) => await ask("developer", "PUT", "/twins/user1/tank/state", { state });
  expect((await change("running")).body).toMatchObject({ changed: true, commit: "2".repeat(40) });
  expect(api.forge.files.get(file)?.text).toBe(text.replace("stopped", "running"));
  expect(api.forge.commits).toEqual([
    { file: "digital_twins/tank/dt.yaml", message: "Start digital twin tank", token: "developer" },
  ]);
  expect((await change("running")).body).toMatchObject({ changed: false, commit: null });
  expect((await change("paused")).status).toBe(400);
});

test("a twin without dt.yaml is not started by a commit, and the answer says what to add", async () => {
  await api.desire("user1", [desiredTwin("tank", { derived: true })]);
  const { status, body } = await ask<Problem>("developer", "PUT", "/twins/user1/tank/state", {
    state: "running",
  });
  expect(status).toBe(409);
  expect(body).toMatchObject({ code: "TWIN_DERIVED", where: { file: "digital_twins/tank/dt.yaml" } });
});

test("kept files are handed out, and nothing beside them", async () => {
  const kept = [{ path: "out/a b.csv", bytes: 4 }];
  const folder = await api.writeRun(
    manifestOf({ id, user: "user1", twin: "tank" }),
    outcomeOf({ outputs: kept }),
  );
  await mkdir(join(folder, "outputs", "out"), { recursive: true });
  await writeFile(join(folder, "outputs", "out", "a b.csv"), "1,2\n");
  await writeFile(join(folder, "outputs", "empty"), "");
  await symlink("/etc/passwd", join(folder, "outputs", "link"));
  await symlink("/etc", join(folder, "outputs", "etc"));
  const base = `/twins/user1/tank/runs/${id}/outputs`;
  expect((await ask("reporter", "GET", base)).body).toEqual({ items: kept });
  const file = await api.ask("reporter", "GET", `${base}/out/a%20b.csv`);
  expect(await file.text()).toBe("1,2\n");
  expect(file.headers.get("content-disposition")).toBe("attachment");
  const empty = await api.ask("reporter", "GET", `${base}/empty`);
  expect([empty.status, await empty.text()]).toEqual([200, ""]);
  const bad = [
    "link",
    "etc/passwd",
    "%2e%2e%2fmanifest.json",
    "..%2fmanifest.json",
    "%2fetc%2fpasswd",
    "out",
    "a%00b",
  ];
  for (const path of bad) {
    const response = await api.ask("reporter", "GET", `${base}/${path}`);
    expect([path, response.status]).toEqual([path, 404]);
  }
});

test("names that climb out of the data folder are not there", async () => {
  for (const path of [
    "/twins/user1/..%2f..",
    "/twins/user1/tank/runs/..%2f..%2fx",
    "/twins/user1/tank/runs/..",
  ]) {
    const response = await api.ask("admin", "GET", path);
    expect([path, response.status]).toEqual([path, 404]);
  }
});

test("a log is text, or NDJSON, whole lines only", async () => {
  const folder = await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  const line = (text: string) => ({ at: "2026-01-01T00:00:00.000000000Z", stream: "out", text });
  await writeFile(
    join(folder, "log.ndjson"),
    `${JSON.stringify(line("één"))}\nno json\n${JSON.stringify(line("two"))}\n{"at":"`,
  );
  const path = `/twins/user1/tank/runs/${id}/log`;
  expect(await (await api.ask("reporter", "GET", path)).text()).toBe("één\ntwo\n");
  const lines = await (
    await api.ask("reporter", "GET", path, undefined, { Accept: "application/x-ndjson" })
  ).text();
  expect(
    lines
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text)),
  ).toEqual([line("één"), line("two")]);
  expect((await ask<Problem>("reporter", "GET", "/twins/user1/tank/runs/r9/log")).body.code).toBe(
    "RUN_NOT_FOUND",
  );
  const image = await api.ask("reporter", "GET", path, undefined, { Accept: "image/png" });
  expect(image.status).toBe(406);
});

test("log events follow the run, can be resumed without loss, and end with its outcome", async () => {
  const own = { id, user: "user1", twin: "tank" };
  const folder = await api.writeRun(manifestOf(own));
  const log = join(folder, "log.ndjson");
  const line = (text: string) => `${JSON.stringify({ at: "2026-01-01T00:00:00Z", stream: "out", text })}\n`;
  const path = `/twins/user1/tank/runs/${id}/log`;
  const open = async (after?: string) =>
    readEvents(
      await api.ask("reporter", "GET", path, undefined, {
        Accept: "text/event-stream",
        ...(after === undefined ? {} : { "Last-Event-ID": after }),
      }),
    );
  const first = await open();
  await appendFile(log, line("one"));
  await vi.waitFor(() => expect(first.text).toContain('"one"'), 5_000);
  await appendFile(log, line("two"));
  await vi.waitFor(() => expect(first.text).toContain('"two"'), 5_000);
  const ids = [...first.text.matchAll(/^id: (\d+)$/gm)].map(([, value]) => value);
  const second = await open(ids[0]);
  await appendFile(log, line("three"));
  await api.writeRun(manifestOf(own), outcomeOf({ exitCode: 7, outcome: "failed" }));
  await first.done;
  await second.done;
  expect([...second.text.matchAll(/"text":"(\w+)"/g)].map(([, value]) => value)).toEqual(["two", "three"]);
  for (const { text } of [first, second]) {
    expect(text).toContain('event: end\ndata: {"outcome":"failed","exitCode":7,"reason":null}');
  }
});

test("phase changes arrive as events, those of others do not", async () => {
  api.forge.level["dtaas/user2"] = {};
  await api.observe("user1", [{ ...observedTank, phase: "starting" }]);
  const stream = readEvents(await api.ask("reporter", "GET", "/events"));
  await vi.waitFor(() => expect(stream.text).toContain("event: ready"), 5_000);
  await api.observe("user2", [observedTank]);
  await api.observe("user1", [observedTank]);
  await vi.waitFor(() => expect(stream.text).toContain('"phase":"live"'), 5_000);
  await api.observe("user1", []);
  await vi.waitFor(() => expect(stream.text).toContain('"phase":null'), 5_000);
  expect(stream.text).toContain('"from":"starting"');
  expect(stream.text).not.toContain("user2");
});

test("a delivery is followed to the twins of its project", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  await api.observe("user1", [observedTank]);
  const delivery = {
    id: "d1",
    acceptedAt: "2026-01-01T00:00:00Z",
    event: "push",
    project: "dtaas/user1",
    outcome: "applied" as const,
    reason: null,
    finishedAt: "2026-01-01T00:00:01Z",
    revision,
    generation: 1,
  };
  api.deliveries.push(delivery, { ...delivery, id: "d2", project: "dtaas/common" });
  const one = await ask("reporter", "GET", "/deliveries/d1");
  expect(one.body).toMatchObject({ outcome: "applied", twins: [{ name: "tank", phase: "live" }] });
  const list = await ask<Items<{ id: string }>>("reporter", "GET", "/deliveries");
  expect(list.body.items.map((item) => item.id)).toEqual(["d1"]);
  const all = await ask<Items<{ id: string }>>("admin", "GET", "/deliveries");
  expect(all.body.items.map((item) => item.id)).toEqual(["d1", "d2"]);
  expect((await ask<Problem>("reporter", "GET", "/deliveries/d2")).body.code).toBe("NOT_FOUND");
  expect((await ask<Problem>("admin", "GET", "/deliveries/d3")).body.code).toBe("DELIVERY_NOT_FOUND");
});

test("who I am, the plan, and the platform's state are as described", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  expect((await ask("admin", "GET", "/me")).body).toMatchObject({ username: "admin", administrator: true });
  expect((await ask("reporter", "GET", "/me")).body).toMatchObject({ administrator: false });
  expect((await ask("reporter", "GET", "/users/user1/plan")).status).toBe(200);
  expect((await ask("admin", "GET", "/status")).body).toMatchObject({ users: 1, twins: { pending: 1 } });
});

test("bodies that cannot be read are the sender's problem, with an id to ask about", async () => {
  await api.desire("user1", [desiredTwin("tank")]);
  const post = async (body: unknown) =>
    await ask<Problem>("developer", "POST", "/twins/user1/tank/runs", body);
  for (const body of ["{", "[]", "null", '{"operation":1}', '{"__proto__":{"operation":"create"}}']) {
    const { status, headers, body: problem } = await post(body);
    expect([body, status]).toEqual([body, 400]);
    expect(problem.requestId).toBe(headers.get("x-request-id"));
  }
  const large = await api.ask("developer", "POST", "/twins/user1/tank/runs", {
    operation: "x".repeat(70_000),
  });
  expect(large.status).toBe(413);
  expect((await api.ask("developer", "GET", "/twins/user1/%E0%A4%A")).status).toBe(400);
});

test("somebody who tries tokens is slowed down; whoever has a good one goes on", async () => {
  await api.ask("reporter", "GET", "/me");
  const statuses: number[] = [];
  for (let n = 0; n < 25; n += 1) statuses.push((await api.ask(`guess-${n}`, "GET", "/me")).status);
  expect(statuses.slice(0, 20).every((status) => status === 401)).toBe(true);
  expect(statuses.slice(21).every((status) => status === 429)).toBe(true);
  expect((await api.ask("reporter", "GET", "/me")).status).toBe(200);
});

test("probes need no token, name each part, and metrics count twins", async () => {
  await api.desire("user1", [desiredTwin("tank", { spec })]);
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${api.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    200,
    { ready: true, checks: { redis: { ok: true }, forge: { ok: true }, data: { ok: true } } },
  ]);
  await ask("reporter", "GET", "/twins/user1/tank");
  const metrics = await (await fetch(`${api.url}/metrics`)).text();
  expect(metrics).toContain('dtaas_twins{phase="pending"} 1');
  expect(metrics).toContain('dtaas_queue_jobs{queue="dtaas-user",state="waiting"} 1');
  expect(metrics).toContain('route="/api/v1/twins/{user}/{twin}",status="200"');
  expect(metrics).not.toContain("user1");
});

test("deliveries are counted by their answer", async () => {
  const counted = await startApi((deps) => ({
    ...deps,
    webhooks: (request, response, next) => {
      if (request.path !== "/webhooks/gitlab") return next();
      response.status(Number(request.query["answer"])).end();
    },
  }));
  try {
    for (const answer of [202, 202, 200, 401]) {
      await fetch(`${counted.url}/webhooks/gitlab?answer=${answer}`, { method: "POST" });
    }
    const metrics = await (await fetch(`${counted.url}/metrics`)).text();
    expect(metrics).toContain('dtaas_deliveries_total{outcome="accepted"} 2');
    expect(metrics).toContain('dtaas_deliveries_total{outcome="ignored"} 1');
    expect(metrics).toContain('dtaas_deliveries_total{outcome="refused"} 1');
  } finally {
    await counted.close();
  }
});

test("not ready is 503 and says which part and why", async () => {
  const broken = await startApi((deps) => ({
    ...deps,
    pingRedis: async () => {
      throw new Error("connection refused");
    },
  }));
  try {
    const response = await fetch(`${broken.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      ready: false,
      checks: { redis: { reason: "connection refused" } },
    });
  } finally {
    await broken.close();
  }
});

test("a fault of ours tells nothing of the inside", async () => {
  const broken = await startApi((deps) => ({
    ...deps,
    plan: async () => {
      throw new Error("secret detail");
    },
  }));
  try {
    const response = await broken.ask("admin", "GET", "/users/user1/plan");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
  } finally {
    await broken.close();
  }
});

function readEvents(response: Response): { text: string; done: Promise<void> } {
  const stream = { text: "", done: Promise.resolve() };
  stream.done = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) stream.text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  return stream;
}

test("a run may be given parameters that its twin declares, and no others", async () => {
  const parameters = { upper: 36 };
  const kept = desiredTwin("kept", { spec: { ...spec, parameters } });
  await api.desire("user1", [desiredTwin("tank", { state: "stopped", spec: { ...spec, parameters } }), kept]);
  const run = (twin: string, body: unknown) =>
    ask<{ id: string } & Problem>("developer", "POST", `/twins/user1/${twin}/runs`, body);
  const accepted = await run("tank", { operation: "execute", parameters: { upper: 40 } });
  expect(accepted.status).toBe(202);
  const path = join(api.data.requests, "user1", `${accepted.body.id}.json`);
  expect(checkRunRequest(JSON.parse(await readFile(path, "utf8"))).parameters).toEqual({ upper: 40 });

  const unknown = await run("tank", { operation: "execute", parameters: { uper: 40 } });
  expect(unknown).toMatchObject({
    status: 422,
    body: { code: "PARAMETER_UNKNOWN", hint: "did you mean `upper`?" },
  });
  const keptUp = await run("kept", { operation: "execute", parameters: { upper: 40 } });
  expect(keptUp).toMatchObject({ status: 409, body: { code: "TWIN_KEPT_UP" } });
  expect((await run("kept", { operation: "create", parameters: { upper: 40 } })).status).toBe(202);
});

async function runWithOutputs(files: Record<string, Uint8Array>): Promise<void> {
  await api.desire("user1", [desiredTwin("tank")]);
  const outputs = Object.entries(files).map(([path, content]) => ({ path, bytes: content.byteLength }));
  const folder = await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf({ outputs }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, "outputs", path, ".."), { recursive: true });
    await writeFile(join(folder, "outputs", path), content);
  }
}

const save = (branch: string, who = "developer") =>
  ask<SavedOutputs & Problem>(who, "POST", `/twins/user1/tank/runs/${id}/save`, { branch });

test("what a run kept is committed byte for byte in one commit that links to the run, with the caller's token", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await runWithOutputs({ "data/out/result.bin": bytes, "data/empty": new Uint8Array() });
  api.forge.moving = 2; // somebody pushes in between, twice
  const saved = await save("results/tank");
  expect(saved).toMatchObject({ status: 200, body: { branch: "results/tank", files: 2, changed: true } });
  const [change, ...more] = api.forge.saved;
  expect(more).toEqual([]);
  expect(change).toMatchObject({ token: "developer", branch: "results/tank" });
  expect(change?.files.map(({ path, content }) => [path, Buffer.from(content).equals(bytes)])).toEqual([
    ["data/out/result.bin", true],
    ["data/empty", false],
  ]);
  expect(change?.message).toContain(`Run: http://dtaas.test/api/v1/twins/user1/tank/runs/${id}`);
});

test("a branch that moves again and again is said to be moving, and nothing is half done", async () => {
  await runWithOutputs({ "data/a": new Uint8Array(1) });
  api.forge.moving = 99;
  expect(await save("results")).toMatchObject({ status: 409, body: { code: "BRANCH_MOVED" } });
  expect(api.forge.saved).toEqual([]);
});

test.each([
  [".gitlab-ci.yml", "OUTPUT_NAME_REFUSED"],
  ["data/.GIT/hooks/pre-commit", "OUTPUT_NAME_REFUSED"],
  [".github/workflows/x.yml", "OUTPUT_NAME_REFUSED"],
])("an output called %s is not committed with somebody's rights", async (path, code) => {
  await runWithOutputs({ "data/a": new Uint8Array(1), [path]: new Uint8Array(1) });
  expect(await save("results")).toMatchObject({ status: 422, body: { code } });
  expect(api.forge.saved).toEqual([]);
});

test("a run that kept nothing, that has not ended, or that kept too much for one commit is not saved, and says why", async () => {
  await runWithOutputs({});
  expect(await save("results")).toMatchObject({ status: 409, body: { code: "OUTPUTS_NONE" } });
  for (const branch of ["a..b", "-x", "a b", "refs/heads/x.lock", "x/", "@{1}"]) {
    expect(await save(branch)).toMatchObject({ status: 422, body: { code: "BRANCH_NAME_REFUSED" } });
  }
  const outputs = [{ path: "data/large", bytes: 33 * 1024 * 1024 }];
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf({ outputs }));
  const large = await save("results");
  expect(large).toMatchObject({ status: 422, body: { code: "OUTPUTS_TOO_LARGE" } });
  expect(large.body.hint).toContain("dtaas twin outputs");
  const running = "r0000000000000000b";
  await api.writeRun(manifestOf({ id: running, user: "user1", twin: "tank" }));
  const path = `/twins/user1/tank/runs/${running}/save`;
  expect(await ask<Problem>("developer", "POST", path, { branch: "results" })).toMatchObject({
    status: 409,
    body: { code: "RUN_NOT_ENDED" },
  });
});

test("previews that run count against the user's limits, too", async () => {
  const limits = { cpus: 1 };
  await api.desire("user1", [desiredTwin("tank", { state: "stopped" })], { limits });
  const run = { operation: "create" };
  api.previews.push(previewsOf("12", id)); // the fixture's takes one core
  const refused = await ask<Problem>("developer", "POST", "/twins/user1/tank/runs", run);
  expect([refused.status, refused.body.code]).toEqual([409, "LIMIT_REACHED"]);
  api.previews.splice(0);
  expect((await ask("developer", "POST", "/twins/user1/tank/runs", run)).status).toBe(202);
});

test("an operation beyond the user's limits is refused, one that ends something is not", async () => {
  const lifecycle = {
    ...spec.lifecycle,
    terminate: { run: "lifecycle/terminate", workingDir: ".", graceMs: 10_000, outputs: [] },
  };
  const up = desiredTwin("up", { admittedAt: "2026-01-01T00:00:00.000Z" });
  await api.desire("user1", [up, desiredTwin("tank", { state: "stopped", spec: { ...spec, lifecycle } })], {
    limits: { cpus: 2 },
  });
  const run = (operation: string) =>
    ask<Problem>("developer", "POST", "/twins/user1/tank/runs", { operation });
  expect((await run("create")).status).toBe(202);
  const refused = await run("execute");
  expect(refused).toMatchObject({ status: 409, body: { code: "LIMIT_REACHED" } });
  expect(refused.body.detail).toContain("user1 would use 3 processor cores, 2 are allowed");
  expect((await run("terminate")).status).toBe(202);
});

test("a run is not done again when its commit is gone from the repository, and says so", async () => {
  api.goneCommits.add(revision);
  await api.desire("user1", [desiredTwin("tank")]);
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  const again = await ask<Problem>("developer", "POST", `/twins/user1/tank/runs/${id}/rerun`);
  expect(again).toMatchObject({ status: 409, body: { code: "RUN_NOT_REPEATABLE" } });
  expect(again.body.detail).toContain("dtaas/user1 no longer has");
});
