import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import express from "express";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OpenApiChecker } from "#schemas/openapi-checker";
import type { PipelineTree } from "#schemas/pipelines";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";
import { until } from "../../test/fixtures/until.ts";
import { TraceReader } from "../pipelines/follow-trace.ts";
import { PipelineWatch } from "../pipelines/pipeline-watch.ts";
import { expressPath } from "./api-route.ts";
import { Streams } from "./event-stream.ts";
import { openApiDocument } from "./openapi.ts";
import { pipelineRoutes } from "./pipeline-routes.ts";

const described = new OpenApiChecker(openApiDocument("0"));
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => await api.close());

/** Asks, holds the answer against the OpenAPI document, and gives status and body. */
async function ask(who: string, method: string, path: string, body?: unknown) {
  const response = await api.ask(who, method, path, body);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const problems = described.problems({
    method,
    path: path.replace(/\?.*/, ""),
    status: response.status,
    type,
    body: text,
  });
  expect(problems).toEqual([]);
  const value = (text === "" ? undefined : JSON.parse(text)) as Record<string, unknown>;
  return { status: response.status, body: value };
}

/** Server-Sent Events of a route, as they come. */
async function listen(who: string, path: string, headers: Record<string, string> = {}, base = api.url) {
  const accept = { Accept: "text/event-stream", Authorization: `Bearer ${who}`, ...headers };
  const response = await fetch(`${base}/api/v1${path}`, { headers: accept });
  expect(response.status).toBe(200);
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => void events.push(event) });
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  })();
  return { events, ended };
}

const states = (events: EventSourceMessage[]) =>
  events
    .filter(({ event }) => event === "pipeline")
    .map(({ data }) => (JSON.parse(data) as PipelineTree).state);

test("a pipeline is started for an operation of a twin, with the caller's own token", async () => {
  const wish = {
    twin: "tank",
    operation: "execute",
    variables: { RunnerTag: "linux" },
    inputs: { deployTarget: 1 },
  };
  const { status, body } = await ask("developer", "POST", "/users/user1/pipelines", wish);
  expect(status).toBe(201);
  const made = api.gitlab.pipelines.find(({ id }) => id === body["id"]);
  expect(made).toMatchObject({ project: 2, ref: "main", user: "developer", inputs: { deployTarget: 1 } });
  expect(Object.fromEntries((made?.variables ?? []).map(({ key, value }) => [key, value]))).toEqual({
    RunnerTag: "linux",
    DTName: "tank",
    DTOperation: "execute",
  });
  const shown = await ask("reporter", "GET", `/users/user1/pipelines/${made?.id}`);
  expect(shown.body).toMatchObject({ user: "user1", startedBy: "developer", jobs: [{ name: "execute" }] });
  const listed = await ask("reporter", "GET", "/users/user1/pipelines?limit=1");
  expect(listed.body["items"]).toMatchObject([{ id: made?.id, state: "running" }]);
});

test.each([
  ["a ref that is an option", { ref: "--upload-pack=x" }],
  ["variables that are a list", { variables: ["a"] }],
  ["a variable with an odd name", { variables: { "a b": "c" } }],
  ["a variable that is no text", { variables: { A: 1 } }],
  ["a variable that is too long", { variables: { A: "x".repeat(10_001) } }],
  [
    "too many variables",
    { variables: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`V${n}`, ""])) },
  ],
  ["a twin that is none", { twin: "../tank" }],
  ["inputs that are a text", { inputs: "x" }],
])("%s starts nothing", async (_what, wish) => {
  const { status, body } = await ask("developer", "POST", "/users/user1/pipelines", wish);
  expect([status, body["code"]]).toEqual([400, "BAD_REQUEST"]);
  expect(api.gitlab.pipelines).toEqual([]);
});

test("what the Git host refuses is said in its words", async () => {
  const { status, body } = await ask("developer", "POST", "/users/user1/pipelines", { ref: "nowhere" });
  expect([status, body["code"]]).toEqual([422, "PIPELINE_REFUSED"]);
  expect(body["detail"]).toContain("Reference not found");
});

test("two users at once follow their own pipelines and children, whatever the ids are", async () => {
  const { gitlab } = api;
  gitlab.jobNames = ["trigger_tank"];
  const first = gitlab.make(2);
  const second = gitlab.make(3, { user: "user2" });
  gitlab.jobNames = ["execute"];
  // The child that comes next after user1's parent is user2's, and the other way round.
  const ofSecond = gitlab.make(3, { source: "parent_pipeline" });
  const ofFirst = gitlab.make(2, { source: "parent_pipeline" });
  gitlab.job(first.id, "trigger_tank").downstream = ofFirst.id;
  gitlab.job(second.id, "trigger_tank").downstream = ofSecond.id;
  const shown = await ask("user1", "GET", `/users/user1/pipelines/${first.id}`);
  expect(shown.body["jobs"]).toMatchObject([
    { name: "trigger_tank", isTrigger: true, downstream: { id: ofFirst.id, jobs: [{ name: "execute" }] } },
  ]);
  for (const id of [second.id, ofSecond.id]) {
    expect((await ask("user1", "GET", `/users/user1/pipelines/${id}`)).status).toBe(404);
    expect((await ask("user1", "POST", `/users/user1/pipelines/${id}/cancel`)).status).toBe(404);
    expect((await ask("user1", "GET", `/users/user2/pipelines/${id}`)).status).toBe(404);
    const job = gitlab.jobs.find(({ pipeline }) => pipeline === id)?.id;
    expect((await ask("user1", "POST", `/users/user1/jobs/${job}/cancel`)).status).toBe(404);
    expect((await api.ask("user1", "GET", `/users/user1/jobs/${job}/log`)).status).toBe(404);
  }
  expect(gitlab.pipelines.map(({ status }) => status)).toEqual(["running", "running", "running", "running"]);
});

test("a pipeline in another project that a job has triggered is not looked into", async () => {
  const { gitlab } = api;
  gitlab.jobNames = ["trigger_elsewhere"];
  const parent = gitlab.make(2);
  gitlab.job(parent.id, "trigger_elsewhere").downstream = gitlab.make(3).id;
  const shown = await ask("admin", "GET", `/users/user1/pipelines/${parent.id}`);
  expect(shown.body["jobs"]).toMatchObject([{ isTrigger: true, downstream: null }]);
});

test("each change of a pipeline is an event, also of one that it has triggered; the end comes with its last", async () => {
  const { gitlab } = api;
  gitlab.jobNames = ["trigger_tank"];
  const parent = gitlab.make(2, { status: "created" });
  const { events, ended } = await listen("user1", `/users/user1/pipelines/${parent.id}/events`);
  await until("the first state", async () => states(events).length === 1);
  gitlab.jobNames = ["execute"];
  const child = gitlab.make(2, { source: "parent_pipeline" });
  gitlab.job(parent.id, "trigger_tank").downstream = child.id;
  parent.status = "success"; // it does not wait for its child, and we do
  await until("the child is seen", async () => (events.at(-1)?.data ?? "").includes("execute"));
  expect(events.some(({ event }) => event === "end")).toBe(false);
  gitlab.job(child.id, "execute").status = "failed";
  child.status = "failed";
  await ended;
  expect(states(events)[0]).toBe("waiting");
  expect(events.at(-1)).toMatchObject({ event: "end", data: '{"state":"succeeded"}' });
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
});

test.each(["canceled", "skipped"])(
  "a pipeline that is %s has ended, and nobody waits for more",
  async (status) => {
    const made = api.gitlab.make(2);
    const { events, ended } = await listen("user1", `/users/user1/pipelines/${made.id}/events`);
    await until("the first state", async () => states(events).length === 1);
    made.status = status;
    await ended;
    expect(events.at(-1)?.event).toBe("end");
    const later = await listen("user1", `/users/user1/pipelines/${made.id}/events`);
    await later.ended;
    expect(later.events.map(({ event }) => event)).toEqual(["pipeline", "end"]);
  },
);

test("who comes back with the id of the last event hears of it again only when it has changed", async () => {
  const made = api.gitlab.make(2);
  const path = `/users/user1/pipelines/${made.id}/events`;
  const first = await listen("user1", path);
  await until("the first state", async () => states(first.events).length === 1);
  const second = await listen("user1", path, { "Last-Event-ID": first.events[0]?.id ?? "" });
  made.status = "success";
  await Promise.all([first.ended, second.ended]);
  expect(states(first.events)).toEqual(["running", "succeeded"]);
  expect(states(second.events)).toEqual(["succeeded"]);
});

test("whoever loses access hears no more, of the pipeline and of its job", async () => {
  const { gitlab, forge } = api;
  let isMember = true;
  const project = { id: 2, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
  const stopping = new AbortController();
  const routes = pipelineRoutes({
    pipelines: forge.pipelines,
    watch: new PipelineWatch(forge.pipelines, { firstMs: 20, slowestMs: 20, afterEventMs: 1 }),
    traces: new TraceReader(forge.pipelines, 20),
    memberships: { project: async () => project },
    rights: { projectOf: () => project.path, decide: async () => (isMember ? "allowed" : "hidden") },
    streams: new Streams(stopping.signal, api.metrics.openStreams),
  });
  const app = express();
  for (const { method, path, handle } of routes) {
    app[method](`/api/v1${expressPath(path)}`, (request, response) => {
      response.locals["caller"] = { user: { id: 6, username: "user1", name: "" }, token: "user1" };
      return handle(request, response);
    });
  }
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const made = gitlab.make(2);
  const job = gitlab.job(made.id, "execute");
  job.trace = "one\n";
  const pipeline = await listen("user1", `/users/user1/pipelines/${made.id}/events`, {}, base);
  const log = await listen("user1", `/users/user1/jobs/${job.id}/log`, {}, base);
  await until("both are seen", async () => pipeline.events.length === 1 && log.events.length === 1);
  isMember = false;
  job.trace += "two\n";
  job.status = "success";
  await Promise.all([pipeline.ended, log.ended]);
  expect(states(pipeline.events)).toEqual(["running"]);
  expect(log.events.map(({ data }) => data)).toEqual(['{"text":"one"}']);
  stopping.abort();
  server.close();
});

test("a job's log comes line by line, and goes on where it was", async () => {
  const made = api.gitlab.make(2);
  const job = api.gitlab.job(made.id, "execute");
  const path = `/users/user1/jobs/${job.id}/log`;
  job.trace = "grün\nzwei\n";
  const first = await listen("reporter", path);
  await until("two lines", async () => first.events.length === 2);
  expect(first.events.map(({ data }) => data)).toEqual(['{"text":"grün"}', '{"text":"zwei"}']);
  expect(first.events[0]?.id).toBe("6");
  job.trace += "drei";
  job.status = "success";
  await first.ended;
  expect(first.events.slice(2).map(({ event, data }) => [event, data])).toEqual([
    [undefined, '{"text":"drei"}'],
    ["end", '{"state":"succeeded"}'],
  ]);
  const later = await listen("reporter", path, { "Last-Event-ID": "6" });
  await later.ended;
  expect(later.events[0]?.data).toBe('{"text":"zwei"}');
  expect(await (await api.ask("reporter", "GET", path)).text()).toBe("grün\nzwei\ndrei\n");
});

test("a job that waits is played, one that has failed is run again, and what is in no state for it says so", async () => {
  const made = api.gitlab.make(2);
  const job = api.gitlab.job(made.id, "execute");
  job.status = "manual";
  const path = `/users/user1/jobs/${job.id}`;
  expect((await ask("developer", "POST", `${path}/play`)).body).toMatchObject({ state: "running" });
  const again = await ask("developer", "POST", `${path}/play`);
  expect([again.status, again.body["code"]]).toEqual([409, "JOB_NOT_CHANGEABLE"]);
  job.status = "failed";
  expect((await ask("developer", "POST", `${path}/retry`)).body["id"]).not.toBe(job.id);
});

test("cancelling a pipeline ends it and is seen by who follows it", async () => {
  const made = api.gitlab.make(2);
  const { events, ended } = await listen("user1", `/users/user1/pipelines/${made.id}/events`);
  await until("the first state", async () => states(events).length === 1);
  const cancelled = await ask("developer", "POST", `/users/user1/pipelines/${made.id}/cancel`);
  expect(cancelled.body).toMatchObject({ state: "cancelled", jobs: [{ state: "cancelled" }] });
  await ended;
  expect(states(events).at(-1)).toBe("cancelled");
});
