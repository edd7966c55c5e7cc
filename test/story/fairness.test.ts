import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { newRunId } from "#core/run-id";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, runningSpec, writeTwin } from "./twin-files.ts";

const maxWaiting = 1_000; // runs of one user that are accepted
const askedAtOnce = 20;

// Who waits for whom is decided by conditions, never by a clock: the greedy one must still be waiting when the other is served.
describe("beside somebody who takes all there is", () => {
  let platform: Platform;
  let greedy: Clone;
  let modest: Clone;

  const waiting = async () => {
    const { body } = await platform.api("/twins/greedy/mill/runs?limit=200");
    return (body as { items: { state: string }[] }).items.filter(({ state }) => state === "waiting").length;
  };
  const ask = () =>
    platform.api("/twins/greedy/mill/runs", { method: "POST", body: { operation: "grind" }, as: "greedy" });

  beforeAll(async () => {
    platform = await Platform.start({ users: ["greedy", "modest"] });
    [greedy, modest] = await Promise.all([platform.clone("greedy"), platform.clone("modest")]);
    await goesLive(platform, modest, "modest", "before");
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("a thousand runs wait, the next is refused, and another user's push goes live meanwhile", async () => {
    await writeTwin(greedy, "mill");
    await greedy.write("digital_twins/mill/lifecycle/grind", "#!/bin/sh\nexec sleep 1000000\n", 0o755);
    await greedy.write(
      "digital_twins/mill/dt.yaml",
      runningSpec("mill", "    grind: { run: lifecycle/grind }\n").replace(
        "state: running",
        "state: stopped",
      ),
    );
    await greedy.push("feat: a mill");
    await until("the mill is ready", async () => (await platform.twin("greedy", "mill"))?.phase === "ready");
    for (let asked = 0; asked < maxWaiting; asked += askedAtOnce) {
      const answers = await Promise.all(Array.from({ length: askedAtOnce }, ask));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    }
    const refused = await ask();
    expect([refused.status, (refused.body as { code: string }).code]).toEqual([429, "REQUESTS_TOO_MANY"]);

    await goesLive(platform, modest, "modest", "beside a thousand runs");
    expect(await waiting()).toBeGreaterThan(0);
    const grinding = (await platform.containers()).filter(({ name }) => name.includes("greedy-mill-grind"));
    expect(grinding.length).toBe(1); // one operation of a twin at a time
  });

  test("builds that always fail say why, and another user's image is built while most of them still wait", async () => {
    const names = Array.from({ length: 12 }, (_, n) => `broken${n}`);
    for (const name of names) {
      await writeTwin(greedy, name);
      const packages = `{ template: base, packages: { apt: [no-such-package-${name}] } }`;
      await greedy.write(
        `digital_twins/${name}/dt.yaml`,
        runningSpec(name).replace("{ template: base }", packages),
      );
    }
    const commit = await greedy.push("feat: images that cannot be");
    const ofGreedy = async () => (await platform.twins()).filter(({ name }) => names.includes(name));
    await until("the builds are under way", async () =>
      (await ofGreedy()).some(({ phase }) => phase === "building"),
    );
    await writeTwin(modest, "python");
    await modest.write(
      "digital_twins/python/dt.yaml",
      runningSpec("python").replace("template: base", "template: python"),
    );
    await modest.push("feat: a twin with an image of its own");
    await until(
      "the other user's image is built",
      async () => {
        const twin = await platform.twin("modest", "python");
        return twin?.phase === "live" || JSON.stringify(twin);
      },
      120_000,
    );
    expect((await ofGreedy()).some(({ phase }) => phase !== "failed")).toBe(true);
    await until("those that failed say why", async () => {
      const failed = (await ofGreedy()).filter(({ phase }) => phase === "failed");
      return failed.length >= 2 && failed.every(({ reason }) => reason?.includes("no-such-package"));
    });
    const statuses = await platform.statuses("greedy", commit);
    expect(statuses.some(({ name, status }) => names.includes(name.slice(6)) && status === "success")).toBe(
      false,
    );
  });

  test("a twin that dies at once is given up visibly, and keeps nobody waiting", async () => {
    await writeTwin(greedy, "mayfly", { more: "  restart: { maxRetries: 2, backoff: 100ms }\n" });
    await greedy.write("digital_twins/mayfly/lifecycle/execute", "#!/bin/sh\nexit 3\n", 0o755);
    const commit = await greedy.push("feat: a mayfly");
    await goesLive(platform, modest, "modest", "beside a mayfly");
    await until("it is given up", async () => {
      const twin = await platform.twin("greedy", "mayfly");
      return (twin?.phase === "failed" && twin.reason !== null) || JSON.stringify(twin);
    });
    await until("the commit says so", async () => {
      const found = (await platform.statuses("greedy", commit)).find(({ name }) => name === "dtaas/mayfly");
      return found?.status === "failed" || JSON.stringify(found);
    });
  });

  test("a document that cannot be read is that user's trouble alone: runs of others are found without a nudge", async () => {
    const { dataFolder } = platform.settings;
    await writeFile(join(dataFolder, "desired", "aaa.json"), '{"version":1,"user":"aaa"');
    const runId = newRunId(Date.now());
    await writeJsonAtomic(join(dataFolder, "requests", "modest", `${runId}.json`), {
      version: 1,
      runId,
      requestedAt: new Date().toISOString(),
      user: "modest",
      twin: "good",
      operation: "execute",
      requestedBy: "modest",
    });
    await until(
      "the run is dealt with",
      async () => {
        const { body } = await platform.api(`/twins/modest/good/runs/${runId}`);
        return (body as { state: string }).state === "ended" || JSON.stringify(body);
      },
      30_000,
    );
    await goesLive(platform, modest, "modest", "beside a broken document");
  });

  test("all of it without an error of ours in a log", async () => {
    for (const name of ["controller", "runner"]) {
      const log = await readFile(join(platform.settings.dataFolder, "logs", `${name}.log`), "utf8");
      expect(log).not.toMatch(/TypeError|RangeError|uncaught|unhandled/i);
    }
  });
});
