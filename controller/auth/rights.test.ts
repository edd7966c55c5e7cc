import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openApiDocument } from "#controller/http/openapi";
import { packageRoot } from "#core/package-root";
import { OpenApiChecker } from "#schemas/openapi-checker";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  outcomeOf,
  previewsOf,
  startApi,
} from "../../test/fixtures/api-fixture.ts";
import { commitFiles, runGitIn } from "../../test/fixtures/git-http-server.ts";
import { type Answer, rightsDocument, rightsTable } from "./rights-table.ts";

const roles = {
  stranger: "stranger",
  reporter: "reporter",
  developer: "developer",
  maintainer: "maintainer",
  administrator: "admin",
} as const;
const id = "r0000000000000000a";
const values: Record<string, string> = {
  user: "user1",
  twin: "tank",
  path: "models/a.txt",
  repository: "user1",
  remote: "upstream",
  name: "TOKEN",
  run: "r0000000000000000b",
};
const bodies: Record<string, unknown> = {
  "PUT /twins/{user}/{twin}/state": { state: "running" },
  "POST /twins/{user}/{twin}/runs": { operation: "create" },
  "POST /library/{repository}/changes": { changes: [{ action: "delete", path: "models/a.txt" }] },
  "POST /library/graphql": {
    query: '{ readFile(path: "user1/models/a.txt") { repository { blobs { nodes { name } } } } }',
  },
  "PUT /users/{user}/secrets/{name}": { value: "a value of ours" },
};
const token = {
  key: "TOKEN",
  value: "a value of ours",
  kind: "variable" as const,
  protected: false,
  masked: false,
  scope: "*",
  of: "dtaas/user1",
};
let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.desire("user1", [desiredTwin("tank")]);
  api.gitlab.make(2);
  await api.writeRun(manifestOf({ id, user: "user1", twin: "tank" }), outcomeOf());
  const mirror = join(api.data.git, "2.git"); // the second project that the forge pretends to have
  await mkdir(mirror, { recursive: true });
  runGitIn(mirror, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
  commitFiles(mirror, { "models/a.txt": "a" });
  api.previews.push(previewsOf(id, values["run"] ?? ""));
  api.deliveries.push({
    id: "d1",
    acceptedAt: "2026-01-01T00:00:00Z",
    event: "push",
    project: "dtaas/user1",
    outcome: "applied",
    reason: null,
    finishedAt: null,
    revision: null,
    generation: null,
  });
});
afterAll(async () => await api.close());

test("the table names every route of the API, and nothing else", () => {
  const described = new OpenApiChecker(openApiDocument("0"))
    .operations()
    .filter((operation) => operation !== "GET /openapi.json");
  expect(rightsTable.map(({ route }) => route).sort()).toEqual(described.sort());
});

test("docs/rights.md is made from the table", async () => {
  await expect(rightsDocument()).toMatchFileSnapshot(join(packageRoot, "docs/rights.md"));
});

test.each(rightsTable.flatMap((row) => Object.keys(roles).map((role) => [row.route, role, row] as const)))(
  "%s as a %s",
  async (route, role, row) => {
    const expected: Answer = row[role as keyof typeof roles];
    const status = await statusOf(route, roles[role as keyof typeof roles]);
    if (expected === "hidden") expect(status).toBe(404);
    else if (expected === "no") expect(status).toBe(403);
    else expect([401, 403]).not.toContain(status);
    if (expected === "yes" && !route.includes("{path}")) expect(status).not.toBe(404);
  },
);

test.each(rightsTable.map(({ route }) => route))(
  "%s without a token or with a bad one is refused",
  async (route) => {
    expect(await statusOf(route, undefined)).toBe(401);
    expect(await statusOf(route, "no-such-token")).toSatisfy((status) => status === 401 || status === 429);
  },
);

function idOf(template: string): string {
  if (template.startsWith("/deliveries")) return "d1";
  if (template.includes("/pipelines/")) return String(api.gitlab.pipelines[0]?.id);
  return template.includes("/jobs/") ? String(api.gitlab.jobs[0]?.id) : id;
}

async function statusOf(route: string, who: string | undefined): Promise<number> {
  const [method = "", template = ""] = route.split(" ");
  const path = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    name === "id" ? idOf(template) : (values[name] ?? name),
  );
  if (method === "DELETE" && template.includes("/secrets/")) api.forge.held.push(token);
  const response = await api.ask(who, method, path, bodies[`${method} ${template}`]);
  const { status } = response;
  if (!template.endsWith("/events")) await response.arrayBuffer();
  else await response.body?.cancel();
  return status;
}
