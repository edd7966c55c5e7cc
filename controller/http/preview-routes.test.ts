import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { previewedFolder } from "#core/data-folder";
import type { Items } from "#schemas/api";
import { OpenApiChecker } from "#schemas/openapi-checker";
import type { PreviewsView } from "#schemas/preview-view";
import { type ApiFixture, previewsOf, startApi } from "../../test/fixtures/api-fixture.ts";
import { openApiDocument } from "./openapi.ts";

const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const run = "r0000000000000000b";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  api.previews.push(previewsOf("12", run), { ...previewsOf("7-3", run), user: "user2" });
});
afterEach(async () => await api.close());

async function ask<T>(who: string, path: string): Promise<{ status: number; body: T }> {
  const response = await api.ask(who, "GET", path);
  const body = await response.text();
  const type = response.headers.get("content-type") ?? "";
  expect(checker.problems({ method: "GET", path, status: response.status, type, body })).toEqual([]);
  return { status: response.status, body: JSON.parse(body) as T };
}

test("a list has no points of plots, one merge request has them", async () => {
  const list = await ask<Items<PreviewsView>>("reporter", "/users/user1/previews");
  expect(list.body.items).toMatchObject([
    { id: "12", twins: [{ twin: "tank", comparisons: [{ verdict: "fail", live: [], preview: [] }] }] },
  ]);
  const one = await ask<PreviewsView>("reporter", "/users/user1/previews/12");
  expect(one.body).toEqual(api.previews[0]);
});

test("what is not there, and what may not be seen, is not found", async () => {
  for (const [who, path] of [
    ["reporter", "/users/user1/previews/13"],
    ["reporter", "/users/user1/previews/..%2f12"],
    ["reporter", "/users/user2/previews/7-3"],
    ["stranger", "/users/user1/previews/12"],
    ["reporter", `/users/user1/previews/12/tank/runs/..%2f..%2f${run}/log`],
    ["reporter", `/users/user1/previews/12/pump/runs/${run}/log`],
  ] as const) {
    expect((await api.ask(who, "GET", path)).status, path).toBe(404);
  }
});

test("a log is followed until its run has ended", async () => {
  const folder = join(previewedFolder(api.data, { user: "user1", id: "12" }), "tank", run);
  await mkdir(folder, { recursive: true });
  const ended = previewsOf("12", run);
  const running = structuredClone(ended);
  for (const one of running.twins[0]?.runs ?? [])
    Object.assign(one, { outcome: null, exitCode: null, finishedAt: null });
  api.previews[0] = running;
  const line = (text: string) => `${JSON.stringify({ at: "2026-01-01T00:00:00Z", stream: "out", text })}\n`;
  await appendFile(join(folder, "log.ndjson"), line("one"));
  const answer = api
    .ask("reporter", "GET", `/users/user1/previews/12/tank/runs/${run}/log`, undefined, {
      Accept: "text/event-stream",
    })
    .then((response) => response.text());
  await appendFile(join(folder, "log.ndjson"), line("two"));
  api.previews[0] = ended;
  const text = await answer;
  expect([...text.matchAll(/"text":"(\w+)"/g)].map(([, word]) => word)).toEqual(["one", "two"]);
  expect(text).toContain('event: end\ndata: {"outcome":"succeeded","exitCode":0,"reason":null}');
});

test("phases of previews arrive as events, those of others do not", async () => {
  const stop = new AbortController();
  const response = await api.ask("reporter", "GET", "/events");
  let text = "";
  void (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
  })().catch(() => undefined);
  await vi.waitFor(() => expect(text).toContain("event: ready"), 5_000);
  api.previewChanges.note({ ...previewsOf("7-3", run), user: "user2" });
  api.previewChanges.note(previewsOf("12", run, { phase: "running" }));
  api.previewChanges.note(previewsOf("12", run));
  api.previewChanges.gone({ user: "user1", id: "12" });
  await vi.waitFor(() => expect(text).toContain('"phase":null'), 5_000);
  expect(text).toContain(
    'event: preview\ndata: {"user":"user1","id":"12","twin":"tank","from":"running","phase":"done","reason":null}',
  );
  expect(text).not.toContain("user2");
  stop.abort();
});
