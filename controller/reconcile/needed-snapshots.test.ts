import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DesiredState } from "#schemas/desired-state";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  revision,
  startApi,
} from "../../test/fixtures/api-fixture.ts";
import { runArchive } from "../reading/run-archive.ts";
import { storedDocuments } from "../reading/stored-documents.ts";
import { neededSnapshots } from "./needed-snapshots.ts";

const project = "dtaas/user1";
const old = { project, commit: "2".repeat(40) };
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  await api.desire("user1", [desiredTwin("tank")]);
});
afterEach(async () => await api.close());

async function needed() {
  const ignore = () => undefined;
  const documents = storedDocuments(api.data, ignore);
  const document = (await documents.desired("user1")) as DesiredState;
  const desired = { all: () => [document] };
  return await neededSnapshots({ data: api.data, desired, documents, runs: runArchive(api.data, ignore) });
}

test("what is desired and what the runner still needs is kept", async () => {
  await api.observe("user1", [], { needs: [old] });
  expect(await needed()).toEqual({ keep: [{ project, commit: revision }, old], spare: new Set() });
});

test("as long as the runner has not said what it needs, or that cannot be read, nothing of the user's goes", async () => {
  expect((await needed()).spare).toEqual(new Set([project]));
  await writeJsonAtomic(join(api.data.observed, "user1.json"), { version: 2 });
  expect((await needed()).spare).toEqual(new Set([project]));
});

test("a run that is to be done again holds its commit from the request on", async () => {
  await api.observe("user1", []);
  const former = "r0000000000000000a";
  await api.writeRun(manifestOf({ id: former, user: "user1", twin: "tank" }, { own: old }));
  const again = await api.ask("developer", "POST", `/twins/user1/tank/runs/${former}/rerun`);
  expect(again.status).toBe(202);
  expect((await needed()).keep).toContainEqual(old);
});
