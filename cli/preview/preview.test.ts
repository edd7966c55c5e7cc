import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { previewedFolder } from "#core/data-folder";
import { type ApiFixture, previewsOf, startApi } from "../../test/fixtures/api-fixture.ts";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

const run = "r0000000000000000b";
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  api.previews.push(previewsOf("12", run));
});
afterEach(async () => await api.close());

const dtaas = (...words: string[]) =>
  runDtaas(["preview", ...words, "--user", "user1"], {
    environment: { DTAAS_URL: api.url, DTAAS_TOKEN: "reporter" },
  });

test("previews are listed, one line for each twin, with what became of their numbers", async () => {
  const { code, out } = await dtaas("list");
  expect(code).toBe(0);
  expect(out).toMatch(
    /^MERGE REQUEST +TWIN +COMMIT +PHASE +SINCE +NUMBERS +REMARK\n12 +tank +11111111 +done .* 1 fail\n$/,
  );
  api.previews.splice(0);
  expect((await dtaas("list")).out).toBe("no merge request has previews\n");
});

test("one is shown with its operations and its numbers; what others wrote cannot play with the terminal", async () => {
  api.previews[0] = previewsOf("12", run, { reason: "exit\u001b[2J code 3" });
  const { code, out } = await dtaas("show", "!12");
  expect(code).toBe(0);
  expect(out).toContain("dtaas/user1!12\n");
  expect(out).toMatch(/tank at 11111111: done for .*\n +exit code 3\n/);
  expect(out).toMatch(/execute +r0000000000000000b +succeeded +0 +2\.0 s/);
  expect(out).toMatch(/data\/out\/x\.csv +level +fail +2 +0\.5 +2 +0\.25 +0\.1/);
  expect(out).not.toContain("\u001b");
  const json = await dtaas("show", "12", "--json");
  expect(JSON.parse(json.out)).toMatchObject({ id: "12", twins: [{ comparisons: [{ live: [1, 2] }] }] });
});

test("a merge request without previews is told so, with how to list them", async () => {
  const { code, err } = await dtaas("show", "13");
  expect(code).not.toBe(0);
  expect(err).toContain("PREVIEW_NOT_FOUND");
  expect(err).toContain("dtaas preview list");
});

test("the log of what it ran last is printed, and followed to its end", async () => {
  const folder = join(previewedFolder(api.data, { user: "user1", id: "12" }), "tank", run);
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "log.ndjson"),
    `${JSON.stringify({ at: "2026-01-01T00:00:00Z", stream: "out", text: "simulated" })}\n`,
  );
  expect((await dtaas("logs", "12")).out).toBe("simulated\n");
  expect((await dtaas("logs", "12", "tank", "--operation", "execute", "--follow")).out).toBe("simulated\n");
  expect((await dtaas("logs", "12", "--operation", "create")).err).toContain("has not run create");
  expect((await dtaas("logs", "12", "pump")).err).toContain("name one of tank");
});
