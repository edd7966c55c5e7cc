import { randomBytes } from "node:crypto";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJson } from "#core/atomic-file";
import { type DataFolder, dataFolder, runFolder } from "#core/data-folder";
import type { DesiredState } from "#schemas/desired-state";
import type { RunManifest } from "#schemas/run";
import { hashObject, writeRawTree } from "#test/fixtures/git-http-server";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, runningSpec, writeTwin } from "./twin-files.ts";

// One thing that cannot be read stops nobody: it is said where people look, and the last good one counts.
describe("what cannot be read", () => {
  let platform: Platform;
  let data: DataFolder;
  let alice: Clone;
  let bob: Clone;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["alice", "bob"] });
    data = dataFolder(platform.settings.dataFolder);
    [alice, bob] = await Promise.all([platform.clone("alice"), platform.clone("bob")]);
    await goesLive(platform, bob, "bob", "first");
  });
  afterAll(async () => {
    await platform?.close();
    for (const clone of [alice, bob]) if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  const isLiveAt = (user: string, commit: string, name = "good") =>
    until(`${user}/${name} is live at ${commit.slice(0, 8)}`, async () => {
      const twin = await platform.twin(user, name);
      return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
    });
  const deliveryOf = async (project: string, commit: string) => {
    const { items } = (await platform.api("/deliveries")).body as {
      items: { project: string; event: string; outcome: string; reason: string | null }[];
    };
    return items.find((one) => one.project === project && one.event.includes(commit.slice(0, 8)));
  };
  const isSettled = (project: string, commit: string, outcome: string) =>
    until(`the delivery of ${project} is ${outcome}`, async () => {
      const found = await deliveryOf(project, commit);
      return found?.outcome === outcome || JSON.stringify(found);
    });
  const resyncedAt = async () =>
    ((await platform.api("/status")).body as { resync: { at: string | null } }).resync.at;
  const anotherResync = async () => {
    const before = await resyncedAt();
    await until("the platform compares itself with the host", async () => (await resyncedAt()) !== before);
  };
  const countRefusals = async () => {
    const log = await readFile(join(platform.settings.dataFolder, "logs", "controller.log"), "utf8");
    return log.split('"project refused"').length - 1;
  };
  const startedSince = async (since: Date) => [...(await platform.starts(since)).values()];

  describe("a shared repository that may not be checked out", () => {
    let shared: Clone;
    let goodCommit: string;

    beforeAll(async () => {
      shared = await platform.clone("common", "root");
      goodCommit = await shared.git("rev-parse", "HEAD");
      const more = "  assets: [{ model: common/models/water-tank }]\n";
      await writeTwin(alice, "good", { says: "with a shared model", more });
      await isLiveAt("alice", await alice.push("feat: use a shared model"));
    });
    afterAll(async () => {
      if (shared) await rm(shared.folder, { recursive: true, force: true });
    });

    test("is refused with its reason, and its users' next push goes live with the commit they had", async () => {
      const gitDir = join(shared.folder, ".git");
      const link = { mode: "120000", name: "passwd", id: hashObject(gitDir, "blob", "/etc/passwd") };
      const tree = writeRawTree(gitDir, [link]);
      const bad = await shared.git("commit-tree", "-m", "feat: a link", "-p", goodCommit, tree);
      await shared.git("push", "-q", "origin", `${bad}:main`);
      await isSettled("dtaas/common", bad, "refused");
      expect((await deliveryOf("dtaas/common", bad))?.reason).toMatch(
        /absolute.*the last good revision is used/,
      );

      const more = "  assets: [{ model: common/models/water-tank }]\n";
      await writeTwin(alice, "good", { says: "while it is refused", more });
      await isLiveAt("alice", await alice.push("feat: say something else"));
      const { runId } = (await platform.twin("alice", "good")) ?? {};
      const manifest = await readJson(join(runFolder(data, "alice", "good", runId ?? ""), "manifest.json"));
      expect((manifest as RunManifest).shared).toEqual([{ project: "dtaas/common", commit: goodCommit }]);
    });

    test("serves somebody who never had a commit of it with the last good one, too", async () => {
      const more = "  assets: [{ model: common/models/water-tank }]\n";
      await writeTwin(bob, "new", { more });
      await isLiveAt("bob", await bob.push("feat: a twin with a shared model"), "new");
    });

    test("is followed again once it is sound, and what declares nothing that changed is left alone", async () => {
      const since = new Date();
      const before = await platform.twin("alice", "good");
      await shared.write("models/new-model/README.md", "A model\n");
      await shared.git("fetch", "-q", "origin", "main");
      await shared.git("reset", "-q", "--soft", "FETCH_HEAD"); // its files stay as they were before
      const sound = await shared.push("fix: without the link, and with another model");
      await isSettled("dtaas/common", sound, "applied");
      const more = "  assets: [{ model: common/models/new-model }]\n";
      await writeTwin(bob, "new", { says: "with the new model", more });
      await isLiveAt("bob", await bob.push("feat: use the new model"), "new");
      expect((await platform.twin("alice", "good"))?.containerId).toBe(before?.containerId);
      expect((await startedSince(since)).map(({ twin }) => twin)).toEqual(["new"]);
    });
  });

  test("a folder whose name cannot be a twin's is said on the commit, and the twins beside it go live", async () => {
    await bob.write("digital_twins/3-tanks/dt.yaml", runningSpec("three"));
    const commit = await goesLive(platform, bob, "bob", "beside a folder with a bad name");
    await until("the commit says so", async () => {
      const found = (await platform.statuses("bob", commit)).find(({ name }) => name === "dtaas");
      return (
        (found?.status === "failed" &&
          /^digital_twins\/3-tanks:1:1: the folder `3-tanks` cannot be a twin/.test(found.description)) ||
        JSON.stringify(found)
      );
    });
    await bob.remove("digital_twins/3-tanks");
    const mended = await goesLive(platform, bob, "bob", "without it");
    await until("the twin's status is there", async () =>
      (await platform.statuses("bob", mended)).some(({ name }) => name === "dtaas/good"),
    );
    expect((await platform.statuses("bob", mended)).map(({ name }) => name)).not.toContain("dtaas");
  });

  test("a repository that is too large has its deliveries refused, is not fetched over and over, and is taken once it may be", async () => {
    await platform.controller?.stop();
    await platform.startController({ DTAAS_MAX_FETCH_MIB: "1", DTAAS_RESYNC_SECONDS: "1" });
    const before = await platform.twin("alice", "good");
    await alice.write("data/huge.bin", randomBytes(3 * 1024 * 1024));
    const commit = await alice.push("feat: data that do not belong into Git");
    await isSettled("dtaas/alice", commit, "refused");
    expect((await deliveryOf("dtaas/alice", commit))?.reason).toMatch(/larger than may be fetched/);
    // A look at the host that was under way may have asked for it once more; those after it find the same head and do not.
    await anotherResync();
    await until("nothing waits", async () => {
      const { queues } = (await platform.api("/status")).body as {
        queues: Record<string, Record<string, number>>;
      };
      const { waiting, active, delayed } = queues["dtaas-project"] ?? {};
      return [waiting, active, delayed].every((count) => count === 0) || JSON.stringify(queues);
    });
    const refusals = await countRefusals();
    await anotherResync();
    await anotherResync();
    expect(await countRefusals()).toBe(refusals);
    await goesLive(platform, bob, "bob", "while alice is refused");
    expect(await platform.twin("alice", "good")).toMatchObject({
      phase: "live",
      containerId: before?.containerId,
    });
    await platform.controller?.stop();
    await platform.startController(); // whoever runs the platform allows more
    await goesLive(platform, alice, "alice", "with more room");
  });

  describe("a file of ours that was damaged while the platform was down", () => {
    const damage = async (path: string, text: string) => {
      await writeFile(path, text);
      return path;
    };
    const isKept = async (path: string, text: string) =>
      expect(await readFile(`${path}.unreadable`, "utf8")).toBe(text);

    beforeAll(async () => {
      await goesLive(platform, alice, "alice", "before anything is damaged");
    });

    test("a desired-state document: it is made again from Git, and no twin is restarted", async () => {
      const since = new Date();
      const before = await platform.twins();
      await Promise.all([platform.controller?.stop(), platform.runner?.stop()]);
      const path = join(data.desired, "alice.json");
      const good = (await readJson(path)) as DesiredState;
      const broken = JSON.stringify({ ...good, twins: good.twins.map((twin) => ({ ...twin, spec: 7 })) });
      await damage(path, broken);
      await platform.startRunner();
      await platform.startController();
      await until("it is whole again", async () => {
        const { twins, generation } = (await readJson(path)) as DesiredState;
        return typeof twins[0]?.spec === "object" && generation > 1;
      });
      await isKept(path, broken);
      await goesLive(platform, bob, "bob", "beside a document that was damaged");
      const alices = (twins: typeof before) =>
        twins
          .filter(({ user }) => user === "alice")
          .map(({ name, phase, containerId }) => [name, phase, containerId]);
      await until("alice's twins are where they were", async () => {
        const now = alices(await platform.twins());
        return JSON.stringify(now) === JSON.stringify(alices(before)) || JSON.stringify(now);
      });
      expect((await startedSince(since)).map(({ twin }) => twin)).toEqual(["good"]); // bob's
      await goesLive(platform, alice, "alice", "after her document was damaged");
    });

    test("what the runner observed and remembers: it is found out again, and no twin is restarted", async () => {
      const since = new Date();
      const before = (await platform.twins()).map(({ user, name, containerId }) => [user, name, containerId]);
      await platform.runner?.stop();
      const observed = await damage(join(data.observed, "alice.json"), '{"version":1,"user":"al');
      const memory = await damage(join(data.memory, "alice.json"), '{"good":null}');
      await platform.startRunner();
      await until("all twins are observed again, as they were", async () => {
        const twins = await platform.twins();
        const now = twins.map(({ user, name, containerId }) => [user, name, containerId]);
        const areLive = twins.every(({ phase }) => phase === "live");
        return (areLive && JSON.stringify(now) === JSON.stringify(before)) || JSON.stringify(twins);
      });
      await isKept(observed, '{"version":1,"user":"al');
      await isKept(memory, '{"good":null}');
      expect(await startedSince(since)).toEqual([]);
      await goesLive(platform, alice, "alice", "after the memory of the runner was damaged");
    });

    test("the list of projects, the journal and what was reported: the controller starts, and goes on", async () => {
      await platform.controller?.stop();
      const tracked = await damage(join(data.root, "tracked.json"), '{"projects":[null]}');
      const reported = await damage(join(data.reported, "bob.json"), "[]");
      const [segment = ""] = (await readdir(data.journal)).filter((name) => name.endsWith(".ndjson"));
      await appendFile(
        join(data.journal, segment),
        'null\n{"at":"2026-01-01T00:00:00Z","value":{"accepted":{}}}\n{torn',
      );
      await platform.startController();
      await goesLive(platform, alice, "alice", "after the files of the controller were damaged");
      const commit = await goesLive(platform, bob, "bob", "after the files of the controller were damaged");
      await until("it is reported", async () => {
        const found = (await platform.statuses("bob", commit)).find(({ name }) => name === "dtaas/good");
        return found?.status === "success" || JSON.stringify(found);
      });
      await isKept(tracked, '{"projects":[null]}');
      await isKept(reported, "[]");
      await isSettled("dtaas/bob", commit, "applied");
    });

    test("a request: it is not done, and those beside it are", async () => {
      await platform.runner?.stop();
      const ask = () =>
        platform.api("/twins/bob/good/runs", { method: "POST", body: { operation: "execute" } });
      const [bad, good] = [(await ask()).body, (await ask()).body] as { id: string }[];
      const path = await damage(join(data.requests, "bob", `${bad?.id}.json`), '{"operation":"execute"}');
      await platform.startRunner();
      await until("the good one runs", async () => {
        const run = (await platform.api(`/twins/bob/good/runs/${good?.id}`)).body as { state: string };
        return run.state !== "waiting" || JSON.stringify(run);
      });
      await isKept(path, '{"operation":"execute"}');
    });
  });
});
