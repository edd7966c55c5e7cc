import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { dataFolder, previewedFolder, snapshotPath } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { composeRunner } from "#runner/compose-runner";
import type { ContainerSpec, Engine, LayerRef } from "#runner/engine/engine";
import { runnerMetrics } from "#runner/metrics";
import { type RunnerPreviews, startPreviews } from "#runner/previews/previews";
import { secretsPlace } from "#runner/secrets/run-secrets";
import type { Runner } from "#runner/twins/runner";
import { checkObservedPreviews } from "#schemas/documents/check-documents";
import type { WantedPreviews } from "#schemas/previews";
import { dockerForTests } from "#test/docker-for-tests";
import { heldUnless } from "./restrictions.ts";

const available = await dockerForTests();
const commit = "a".repeat(40);
const resources = { cpus: 0.5, memoryBytes: 128 * 1024 * 1024, pids: 64 };
const deadline = { timeout: 60_000, interval: 100 };
const port = 7000;
const serves = [
  "perl",
  "-e",
  `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 5) or die; while (my $c = $s->accept) { close $c }`,
];

/** Three tries, so that a server which is just starting counts as reached. A name that nobody knows is asked for a long time. */
const reach = (host: string) =>
  heldUnless(
    `timeout 10 perl -e 'use IO::Socket::INET; for (1..3) { exit 0 if IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${port}, Timeout => 2); select undef, undef, undef, 0.2 } exit 1'`,
  );

if (!available) test.skip("what a preview cannot reach (there is no Docker here)");
else {
  const installation = await available.installation();

  describe("from inside a preview, with its restrictions it holds, and with one taken away the same question tells", () => {
    const data = dataFolder(installation.folder);
    let engine: Engine;
    let runner: Runner;
    let previews: RunnerPreviews;
    let imageId: string;
    let secrets: string;
    let liveLayer: LayerRef;
    let liveHost: string;
    let userNetwork: string;
    let otherHost: string;
    let otherNetwork: string;
    /** What the engine is asked for instead of what a preview is made of. */
    let alter: (spec: ContainerSpec) => ContainerSpec = (spec) => spec;
    let count = 0;

    const start = async (network: string, layer: LayerRef, command: string[]) => {
      count += 1;
      const run = `r${String(count).padStart(17, "0")}`;
      const { id } = await engine.containers.create({
        ...{
          name: run,
          imageId,
          command,
          workingDir: "/workspace",
          environment: {},
          resources,
          network,
          layer,
        },
        graceMs: 1_000,
        labels: {
          ...{ user: "user1", twin: "plant", operation: "execute", run, key: "key", source: "source" },
          ...{ revision: commit, attempt: "1" },
        },
      });
      await engine.containers.start(id);
      return (await engine.containers.endpoint(id, port))?.host ?? "";
    };

    beforeAll(async () => {
      engine = installation.open();
      imageId = await installation.image(engine);
      const lower = snapshotPath(data, "dtaas/user1", commit);
      await mkdir(lower, { recursive: true });
      secrets = join(installation.folder, "secrets");
      await mkdir(secrets);
      await writeFile(join(secrets, "PLANT_TOKEN"), "a value that must stay with the live twin");
      userNetwork = await engine.networks.ensure("user1");
      liveLayer = await engine.layers.ensure(`user1.plant.${"1".repeat(64)}`, lower);
      const writesAndServes = ["sh", "-c", `echo live > /workspace/state && exec "$@"`, "sh", ...serves];
      liveHost = await start(userNetwork, liveLayer, writesAndServes);
      runner = await composeRunner(
        {
          data,
          engine: {
            ...engine,
            containers: { ...engine.containers, create: (spec) => engine.containers.create(alter(spec)) },
          },
          logger: createLogger("test", "silent"),
          metrics: runnerMetrics(),
          render: async () => ({ hash: "0123456789abcdef", dockerfile: "", files: {} }),
          secretsFolder: join(installation.folder, "in-memory"),
        },
        {
          nudge: () => undefined,
          wakeAt: () => undefined,
          requestBuild: () => undefined,
          tellController: () => undefined,
        },
      );
      previews = startPreviews(runner, () => undefined);
      await wish("99", serves);
      await previews.look("user1");
      const [other] = (await engine.previews?.list()) ?? [];
      otherHost = (await engine.containers.endpoint(other?.id ?? "", port))?.host ?? "";
      otherNetwork =
        (await engine.previews?.ensureNetwork({ user: "user1", id: "99", twin: "visitor" })) ?? "";
    });
    afterAll(async () => {
      await previews?.close();
      runner?.health.close();
      await runner?.logs.close();
      await installation.tearDown();
    });

    async function wish(id: string, command: string[]): Promise<void> {
      const at = new Date().toISOString();
      const operation = { run: command, workingDir: ".", graceMs: 1_000, outputs: [], timeoutMs: 60_000 };
      const document: WantedPreviews = {
        ...{ version: 1, user: "user1", id, wantedAt: at, refused: [] },
        mergeRequest: { projectId: 7, projectPath: "dtaas/user1", iid: Number(id) },
        twins: [
          {
            ...{ name: "visitor", commit, attempt: 1, wantedAt: at, ttlMs: 3_600_000, durationMs: 60_000 },
            operations: [{ name: "execute", ...operation }],
            ...{ compare: [], sourceKey: "source", own: { project: "dtaas/user1", commit }, shared: [] },
            ...{
              workspace: { template: "base", packages: { apt: [], pip: [] } },
              environment: {},
              resources,
            },
          },
        ],
      };
      await writeJsonAtomic(join(data.previews, "user1", `${id}.json`), document);
    }

    /** What a preview that asks this prints. */
    async function answerTo(ask: string, change: typeof alter = (spec) => spec): Promise<string> {
      count += 1;
      const id = String(count);
      alter = change;
      await wish(id, ["sh", "-c", ask]);
      const folder = previewedFolder(data, { user: "user1", id });
      let run = "";
      await expect
        .poll(async () => {
          await previews.look("user1");
          const text = await readFile(join(folder, "state.json"), "utf8").catch(() => "");
          const [seen] = text === "" ? [] : checkObservedPreviews(JSON.parse(text)).twins;
          run = seen?.runs[0]?.run ?? "";
          return seen?.phase;
        }, deadline)
        .toBe("done");
      const log = await readFile(join(folder, "visitor", run, "log.ndjson"), "utf8");
      return log
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { text: string }).text)
        .join("\n");
    }

    const questions: [string, () => string, () => typeof alter][] = [
      [
        "the live twin by its name",
        () => reach("plant"),
        () => (spec) => ({ ...spec, network: userNetwork }),
      ],
      [
        "the live twin by its address",
        () => reach(liveHost),
        () => (spec) => ({ ...spec, network: userNetwork }),
      ],
      [
        "the preview of another merge request",
        () => reach(otherHost),
        () => (spec) => ({ ...spec, network: otherNetwork }),
      ],
      [
        "what the live twin has written",
        () => heldUnless("cat /workspace/state"),
        () => (spec) => ({ ...spec, layer: liveLayer }),
      ],
      [
        "a secret of the live twin, as a file",
        () => heldUnless(`cat ${secretsPlace}/PLANT_TOKEN`),
        () => (spec) => ({
          ...spec,
          mounts: [...(spec.mounts ?? []), { source: secrets, target: secretsPlace }],
        }),
      ],
      [
        "a secret of the live twin, as a variable",
        () => heldUnless('[ -n "$PLANT_TOKEN$DT_SECRETS" ]'),
        () => (spec) => ({ ...spec, environment: { ...spec.environment, PLANT_TOKEN: "x" } }),
      ],
    ];

    // A machine beyond this one cannot be had in a test: that the engine is told to let nothing out is all that is seen.
    test("its network has no way out of this machine, unlike its user's", async () => {
      const docker = new Docker({ socketPath: "/var/run/docker.sock" });
      const isInternal = async (name: string) =>
        ((await docker.getNetwork(name).inspect()) as { Internal: boolean }).Internal;
      expect([await isInternal(otherNetwork), await isInternal(userNetwork)]).toEqual([true, false]);
    });

    test.each(questions)("%s", async (_about, ask, without) => {
      expect(await answerTo(ask())).toBe("held");
      expect(await answerTo(ask(), without())).not.toBe("held");
    });
  });
}
