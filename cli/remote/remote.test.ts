import { afterEach, beforeEach, expect, test } from "vitest";
import type { RemoteView } from "#schemas/remotes";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

const upstream: RemoteView = {
  user: "user1",
  name: "upstream",
  url: "https://git.test/a.git",
  direction: "pull",
  everyMs: 3_600_000,
  branch: null,
  outcome: "conflict",
  message: "both sides have changed a.txt: merge them with git",
  files: ["a.txt"],
  commit: "1".repeat(40),
  remoteCommit: "2".repeat(40),
  requestedAt: "2026-01-01T00:00:00.000Z",
  finishedAt: "2026-01-01T00:00:01.000Z",
  nextAt: "2026-01-01T01:00:01.000Z",
};
let api: ApiFixture;
let views: RemoteView[];
let asked: string[];

beforeEach(async () => {
  asked = [];
  views = [];
  api = await startApi((deps) => ({
    ...deps,
    remotes: {
      list: async () => (views.length > 1 ? [views.shift() as RemoteView] : views),
      request: async (user, name, { by, direction }) => {
        asked.push(`${by} ${direction} ${user}/${name}`);
        return { ...upstream, outcome: "waiting", finishedAt: null, nextAt: null };
      },
    },
  }));
});
afterEach(async () => await api.close());

const dtaas = (...words: string[]) =>
  runDtaas(["remote", ...words, "--user", "user1"], {
    environment: { DTAAS_URL: api.url, DTAAS_TOKEN: "developer" },
  });

test("remotes are listed with what became of them", async () => {
  views = [upstream];
  expect((await dtaas("list")).out).toMatch(
    /upstream +pull +conflict .*https:\/\/git\.test\/a\.git +both sides/,
  );
  views = [];
  expect((await dtaas("list")).out).toBe("workspace.yaml names no remotes\n");
});

test("a pull is waited for; a conflict names the files and ends with 1", async () => {
  views = [{ ...upstream, outcome: "running", finishedAt: null, nextAt: null }, upstream];
  const result = await dtaas("pull", "upstream");
  expect(result).toMatchObject({ code: 1, out: `conflict: ${upstream.message}\n  a.txt\n` });
  expect(asked).toEqual(["developer pull user1/upstream"]);
  views = [{ ...upstream, outcome: "updated", message: "merged", files: [] }];
  expect(await dtaas("pull", "upstream", "--json")).toMatchObject({ code: 0 });
});
