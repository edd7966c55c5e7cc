import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import type { Phase } from "#schemas/observed-state";
import { awaitTwins, standing } from "./await-twins.ts";

const at = Date.parse("2026-01-01T00:00:00Z");
const twin = (phase: Phase, more: object = {}) => ({
  user: "user1",
  name: "incubator",
  phase,
  reason: null,
  since: new Date(at + 500).toISOString(),
  state: "running" as const,
  applied: true,
  suspend: false,
  ...more,
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** An API that answers with the next list of twins at every call, and with the last one from then on. */
async function api(...answers: object[][]): Promise<string> {
  let call = 0;
  const server = createServer((request, response) => {
    const items = answers[Math.min(call, answers.length - 1)];
    call += 1;
    response.statusCode = request.headers.authorization === "Bearer token" ? 200 : 401;
    response.end(JSON.stringify({ items }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

async function follow(
  apiUrl: string,
  more: { expected?: string[]; deadlineMs?: number; token?: string } = {},
) {
  const changes: string[] = [];
  const awaited = await awaitTwins({
    apiUrl,
    token: "token",
    expected: [],
    deadlineMs: 5_000,
    signal: new AbortController().signal,
    onChange: (name, from, to) => changes.push(`${name} ${from ?? "-"} ${to}`),
    onWaiting: () => {},
    ...more,
  });
  return { awaited, changes };
}

test("a twin that shall run is there when it is live, or completed where it is a one-off", () => {
  expect(standing(twin("live"), at, at + 600)).toBe("settled");
  expect(standing(twin("completed"), at, at + 600)).toBe("settled");
  expect(standing(twin("ready"), at, at + 600)).toBe("waiting");
  expect(standing(twin("starting"), at, at + 600)).toBe("waiting");
});

test("a twin that shall be stopped is there when it is ready", () => {
  expect(standing(twin("ready", { state: "stopped" }), at, at + 600)).toBe("settled");
  expect(standing(twin("live", { state: "stopped" }), at, at + 600)).toBe("waiting");
});

test("what was observed before this start counts only after the runner had time to look again", () => {
  const old = twin("live", { since: new Date(at - 1_000).toISOString() });
  expect(standing(old, at, at + 600)).toBe("waiting");
  expect(standing(old, at, at + 3_100)).toBe("settled");
});

test("every change of phase is told, and it ends when all are where they belong", async () => {
  const since = new Date(Date.now() + 60_000).toISOString();
  const url = await api([], [twin("building", { since })], [twin("live", { since })]);
  const { awaited, changes } = await follow(url, { expected: ["user1/incubator"] });
  expect(changes).toEqual(["user1/incubator - building", "user1/incubator building live"]);
  expect(awaited.settled).toHaveLength(1);
  expect(awaited.missing).toEqual([]);
});

test("a twin that failed is not waited for and keeps its reason", async () => {
  const { awaited } = await follow(await api([twin("failed", { reason: "exit code 3" })]), {
    expected: ["user1/incubator"],
  });
  expect(awaited.failed).toMatchObject([{ reason: "exit code 3" }]);
});

test("when the deadline comes it says what is not there and why", async () => {
  const { awaited } = await follow(await api([twin("building", { reason: "image" })]), {
    expected: ["user1/incubator", "user2/tank"],
    deadlineMs: 400,
  });
  expect(awaited.missing).toEqual([
    { twin: "user1/incubator", phase: "building", reason: "image" },
    { twin: "user2/tank", phase: "unknown", reason: null },
  ]);
});

test("an API that refuses is the reason for what is not seen", async () => {
  const { awaited } = await follow(await api([]), {
    expected: ["user1/incubator"],
    deadlineMs: 400,
    token: "wrong",
  });
  expect(awaited.missing[0]?.reason).toContain("401");
});
