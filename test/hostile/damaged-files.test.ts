import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Deliveries } from "#controller/intake/deliveries";
import { DesiredDocuments } from "#controller/reconcile/desired-documents";
import { Tracked } from "#controller/reconcile/tracked";
import { type DataFolder, dataFolder } from "#core/data-folder";
import { newRunId } from "#core/run-id";
import { emptyMemory } from "#planning/memory";
import { RunStore } from "#runner/runs/run-store";
import { MemoryStore } from "#runner/twins/memory-store";
import { PublishedStates } from "#runner/twins/published-states";

let data: DataFolder;

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "damaged-")));
});
afterEach(async () => await rm(data.root, { recursive: true, force: true }));

const broken = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.json().map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      "null",
      "[]",
      "{}",
      '{"version":1}',
      '{"projects":[{}]}',
      '{"tank":{"open":{"a":1},"keys":{}}}',
    )
    .map((text) => Buffer.from(text)),
);
const runs = { numRuns: 60 };
const nobody = () => undefined;

async function put(folder: string, name: string, content: Uint8Array): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

test("whatever stands in their files, both processes can open them, and say what they could not read", async () => {
  const runId = newRunId();
  const run = { user: "user1", twin: "tank", runId };
  await fc.assert(
    fc.asyncProperty(broken, async (content) => {
      const aside: string[] = [];
      const tell = ({ path }: { path: string }) => void aside.push(path);
      for (const folder of [data.desired, data.observed, data.memory])
        await put(folder, "user1.json", content);
      await put(data.root, "tracked.json", content);
      await put(join(data.requests, "user1"), `${runId}.json`, content);
      await put(join(data.runs, "user1", "tank", runId), "outcome.json", content);

      expect((await DesiredDocuments.open(data, tell)).unreadable).toEqual(["user1"]);
      await Tracked.open("dtaas", data, tell);
      expect((await PublishedStates.open(data, tell)).users()).toEqual([]);
      const memory = await new MemoryStore(data, tell).get("user1", "tank");
      expect(memory).toEqual(emptyMemory);
      const store = new RunStore(data, tell);
      expect((await store.requests("user1")).requests).toEqual([]);
      expect(await store.outcome(run)).toBeUndefined();
      expect(aside).toEqual(
        expect.arrayContaining([
          join(data.desired, "user1.json"),
          join(data.observed, "user1.json"),
          join(data.requests, "user1", `${runId}.json`),
          join(store.folder(run), "outcome.json"),
        ]),
      );
      // The runner must not take a user whose document cannot be read for one who wants nothing.
      expect(await readdir(data.desired)).toContain("user1.json");
    }),
    runs,
  );
});

test("whatever stands in the journal, it opens, and what is accepted afterwards is there after the next start", async () => {
  const line = fc.oneof(
    broken,
    fc.json().map((value) => Buffer.from(`{"at":"2026-01-01T00:00:00Z","value":${value}}`)),
    fc.json().map((value) => Buffer.from(`{"at":"2026-01-01T00:00:00Z","value":{"accepted":${value}}}`)),
    fc
      .json()
      .map((value) => Buffer.from(`{"at":"2026-01-01T00:00:00Z","value":{"settled":${value},"ids":["a"]}}`)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.boolean(), async (lines, isTorn) => {
      await rm(data.journal, { recursive: true, force: true });
      const newline = Buffer.from("\n");
      const content = Buffer.concat(lines.flatMap((one) => [one, newline]));
      await put(data.journal, "00000001.ndjson", isTorn ? content.subarray(0, -1) : content);
      const first = await Deliveries.open(data.journal, nobody, nobody);
      const intent = { kind: "reconcile", project: "dtaas/user1" } as const;
      const delivery = { key: "k", projectId: 9_999, project: "dtaas/user1", event: "pushed", intent };
      const { id } = await first.accept(delivery);
      await first.close();
      const second = await Deliveries.open(data.journal, nobody, nobody);
      expect(await second.get(id)).toMatchObject({ outcome: "accepted", project: "dtaas/user1" });
      expect(second.waitingProjects()).toContain("dtaas/user1");
      await second.close();
    }),
    runs,
  );
});
