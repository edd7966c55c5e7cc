import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder, runFolder } from "#core/data-folder";
import type { Items, RunDetails, RunView, TwinView } from "#schemas/api";
import type { RunManifest, RunOutcome } from "#schemas/run";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { writeTwin } from "./twin-files.ts";

const day = 24 * 3_600_000;

/** What the fields of the language do on the real platform. */
describe("a user who writes more than a script", () => {
  let platform: Platform;
  let clone: Clone;
  let operator: Clone;

  const runs = async (twin: string) =>
    ((await platform.api(`/twins/user1/${twin}/runs?limit=200`)).body as Items<RunView>).items;
  const view = async (twin: string) => (await platform.api(`/twins/user1/${twin}`)).body as TwinView;
  const isReady = async (twin: string) =>
    await until(`${twin} is ready`, async () => {
      const seen = await platform.twin("user1", twin);
      return seen?.phase === "ready" || JSON.stringify(seen);
    });
  const setPlatform = async (lines: string) => {
    await operator.write("platform.yaml", `${original.trimEnd()}\n${lines}`);
    await operator.push("feat: other settings");
  };
  let original: string;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    operator = await platform.clone("platform", "root");
    original = await operator.read("platform.yaml");
    await clone.write(
      "digital_twins/lab/dt.yaml",
      `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: lab }
spec:
  workspace: { template: base }
  parameters: { place: lab 1, controller: { upper: 36, lower: 34 } }
  lifecycle:
    analyse: { run: lifecycle/analyse, outputs: [data/out] }
`,
    );
    await clone.write(
      "digital_twins/lab/lifecycle/analyse",
      `#!/bin/sh
set -e
if touch /run/dtaas/mine 2>/dev/null; then echo "the folder can be written"; fi
mkdir -p /workspace/data/out
cp "$DT_PARAMETERS" /workspace/data/out/parameters.json
printf '\\000\\001\\377' > /workspace/data/out/bytes.bin
echo "$DT_PARAM_place: $DT_PARAM_controller__lower to $DT_PARAM_controller__upper, $DT_PARAM_controller"
`,
      0o755,
    );
    await clone.push("feat: a lab");
    await isReady("lab");
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("runs an analysis with the twin's parameters, with others once, and the same ones again", async () => {
    const plain = await platform.cli("twin", "run", "user1/lab", "analyse", "-f");
    expect(plain).toMatchObject({ code: 0, stdout: 'lab 1: 34 to 36, {"upper":36,"lower":34}\n' });
    const given = ["--param", "controller.upper=40", "--param", "place=roof"];
    const other = await platform.cli("twin", "run", "user1/lab", "analyse", "-f", ...given);
    expect(other).toMatchObject({ code: 0, stdout: 'roof: 34 to 40, {"upper":40,"lower":34}\n' });
    const [former] = await runs("lab");
    const again = await platform.cli("twin", "rerun", "user1/lab", former?.id ?? "", "-f");
    expect(again).toMatchObject({ code: 0, stdout: other.stdout });
    const wrong = await platform.cli("twin", "run", "user1/lab", "analyse", "--param", "controller.uper=1");
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("did you mean `upper`?");
  });

  test("saves what a run kept to a branch: one commit, byte for byte, with a link to the run", async () => {
    const [run] = await runs("lab");
    const save = ["twin", "save", "user1/lab", run?.id ?? "", "--branch", "results/lab"];
    const saved = await platform.cli(...save);
    expect(saved.stderr).toBe("");
    expect(saved.stdout).toContain("2 files of");
    await clone.git("fetch", "-q", "origin", "results/lab");
    const head = await clone.git("rev-parse", "FETCH_HEAD");
    expect(await clone.git("rev-list", "--count", "origin/main..FETCH_HEAD")).toBe("1");
    expect(await clone.git("log", "-1", "--format=%B", "FETCH_HEAD")).toContain(`/runs/${run?.id}`);
    await writeFile(join(clone.folder, "bytes"), Uint8Array.of(0, 1, 255));
    expect(await clone.git("rev-parse", "FETCH_HEAD:data/out/bytes.bin")).toBe(
      await clone.git("hash-object", "bytes"),
    );
    await clone.remove("bytes");
    expect(JSON.parse(await clone.git("show", "FETCH_HEAD:data/out/parameters.json"))).toEqual({
      place: "roof",
      controller: { upper: 40, lower: 34 },
    });
    expect((await platform.cli(...save)).stdout).toContain("nothing was committed");
    await clone.git("fetch", "-q", "origin", "results/lab");
    expect(await clone.git("rev-parse", "FETCH_HEAD")).toBe(head);
  });

  test("has an operation run by the clock, once for each time, also when the platform was killed over it", async () => {
    await clone.write(
      "digital_twins/clock/dt.yaml",
      `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: clock }
spec:
  workspace: { template: base }
  lifecycle: { tick: { run: [date] } }
  schedule: { tick: "* * * * *" }
`,
    );
    await clone.push("feat: a clock");
    await isReady("clock");
    const scheduled = async () => (await runs("clock")).filter(({ cause }) => cause === "schedule");
    await until(
      "a minute begins, and the operation has run",
      async () => {
        const [run] = await scheduled();
        return run?.outcome === "succeeded" || JSON.stringify(run);
      },
      90_000,
    );
    const shown = await platform.cli("twin", "show", "user1/clock");
    expect(shown.stdout).toMatch(
      /schedule +tick at \* \* \* \* \* \(UTC\), next \d{4}-\d\d-\d\d \d\d:\d\d UTC/,
    );

    const before = (await scheduled()).length;
    const [schedule] = (await view("clock")).schedule;
    const next = Date.parse(schedule?.next ?? "");
    await Promise.all([platform.controller?.kill(), platform.runner?.kill()]);
    await until("the time has come and nobody is there", async () => Date.now() > next, 90_000);
    await Promise.all([platform.startController(), platform.startRunner()]);
    await until("it is made up for", async () => {
      const [run] = await scheduled();
      return ((await scheduled()).length > before && run?.outcome === "succeeded") || JSON.stringify(run);
    });
    const times = (await scheduled()).map(({ id }) => id.slice(0, 10));
    expect(new Set(times).size).toBe(times.length);
    expect(times.length).toBeLessThanOrEqual(before + 2); // the next minute may have begun meanwhile
    await clone.remove("digital_twins/clock");
    await clone.push("chore: no clock");
  });

  test("is told which twin exceeds a limit of the platform; the older one runs on", async () => {
    await writeTwin(clone, "older");
    await clone.push("feat: the older one");
    await until("it is live", async () => (await platform.twin("user1", "older"))?.phase === "live");
    const runId = (await platform.twin("user1", "older"))?.runId;
    await setPlatform("  limits: { perUser: { twins: 1 } }\n");
    await until("the platform has read it", async () => {
      const text = await readFile(
        join(dataFolder(platform.settings.dataFolder).desired, "user1.json"),
        "utf8",
      );
      return (JSON.parse(text) as { limits?: { twins?: number } }).limits?.twins === 1;
    });
    await writeTwin(clone, "another"); // before the older one by name
    const commit = await clone.push("feat: another one");
    const words = "user1 would use 2 running twins, 1 are allowed";
    await until("it is refused", async () => {
      const seen = await platform.twin("user1", "another");
      return (seen?.phase === "refused" && seen.reason?.includes(words)) || JSON.stringify(seen);
    });
    expect((await platform.cli("twin", "list")).stdout).toMatch(/user1\/another +refused .*over the limit/);
    expect((await platform.cli("plan", "user1")).stdout).toMatch(/refuse +user1\/another .*over the limit/);
    await until("its commit says so", async () => {
      const status = (await platform.statuses("user1", commit)).find(({ name }) => name === "dtaas/another");
      return (status?.status === "failed" && status.description.includes(words)) || JSON.stringify(status);
    });
    expect(await platform.twin("user1", "older")).toMatchObject({ phase: "live", runId });
    await setPlatform("  limits: { perUser: { twins: 2 } }\n");
    await until("there is room", async () => (await platform.twin("user1", "another"))?.phase === "live");
  });

  test("finds old runs gone and the logs of middle-aged ones, while what runs goes on", async () => {
    const [newest] = await runs("lab");
    const data = dataFolder(platform.settings.dataFolder);
    const aged = async (ageDays: number) => {
      const endedMs = Date.now() - ageDays * day;
      const id = `r${endedMs.toString(36).padStart(9, "0")}00000000`;
      const folder = runFolder(data, "user1", "lab", id);
      await cp(runFolder(data, "user1", "lab", newest?.id ?? ""), folder, { recursive: true });
      const change = async <T>(name: string, more: Partial<T>) => {
        const path = join(folder, name);
        const text = JSON.stringify({ ...(JSON.parse(await readFile(path, "utf8")) as T), ...more });
        await writeFile(path, text);
      };
      await change<RunManifest>("manifest.json", { id });
      await change<RunOutcome>("outcome.json", { finishedAt: new Date(endedMs).toISOString() });
      return id;
    };
    const old = await aged(100);
    const middle = await aged(40);
    const live = await platform.twin("user1", "older");
    expect((await platform.api(`/twins/user1/lab/runs/${old}`)).status).toBe(200);
    await setPlatform("  retention: { runs: 90d, logs: 30d }\n");
    await until(
      "the old one is gone",
      async () => (await platform.api(`/twins/user1/lab/runs/${old}`)).status === 404,
    );
    await until("the log of the other says so", async () => {
      const log = await platform.api(`/twins/user1/lab/runs/${middle}/log`, { text: true });
      return String(log.body).includes("no longer kept") || log.body;
    });
    const kept = (await platform.api(`/twins/user1/lab/runs/${middle}`)).body as RunDetails;
    expect(kept.result?.outputs).toHaveLength(2);
    expect((await runs("lab")).map(({ id }) => id)).toContain(newest?.id);
    expect(await platform.twin("user1", "older")).toMatchObject({ phase: "live", runId: live?.runId });
  });

  test("pushes a large model with git-lfs, and the twin finds the model, never its pointer", async (story) => {
    const hasClient = await clone.git("lfs", "version").then(
      () => true,
      () => false,
    );
    if (!hasClient && process.env["CI"] === "true")
      throw new Error("git-lfs is missing: apt install git-lfs");
    if (!hasClient) return story.skip("git-lfs is missing (apt install git-lfs)");
    const model = randomBytes(3_000_000);
    const digest = createHash("sha256").update(model).digest("hex");
    await clone.git("lfs", "install", "--local");
    await clone.git("lfs", "track", "*.bin");
    await writeTwin(clone, "reader", { more: "  assets: [{ model: models/net.bin }]\n" });
    await clone.write(
      "digital_twins/reader/lifecycle/execute",
      "#!/bin/sh\nsha256sum /workspace/models/net.bin\nexec sleep 1000000\n",
      0o755,
    );
    await clone.remove("digital_twins/another");
    await mkdir(join(clone.folder, "models"), { recursive: true });
    await writeFile(join(clone.folder, "models", "net.bin"), model);
    const good = await clone.push("feat: a twin with a large model");
    await until("it is live", async () => {
      const seen = await platform.twin("user1", "reader");
      return (seen?.phase === "live" && seen.revision === good) || JSON.stringify(seen);
    });
    expect(await clone.git("show", "HEAD:models/net.bin")).toContain("size 3000000");
    expect((await platform.cli("twin", "logs", "user1/reader")).stdout).toContain(digest);

    const missing = createHash("sha256").update("nowhere").digest("hex");
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${missing}\nsize 7\n`;
    await writeFile(join(clone.folder, "models", "net.bin"), pointer);
    await clone.git("add", "-A");
    await clone.git("commit", "-q", "-m", "feat: a model that was never uploaded");
    await clone.git("push", "-q", "--no-verify", "origin", "HEAD:main"); // the client would not let it through
    const broken = await clone.git("rev-parse", "HEAD");
    await until("the commit names the file", async () => {
      const status = (await platform.statuses("user1", broken)).find(({ name }) => name === "dtaas/reader");
      const isNamed =
        status?.description.includes("models/net.bin") && status.description.includes("no large file");
      return (status?.status === "failed" && isNamed) || JSON.stringify(status);
    });
    expect(await platform.twin("user1", "reader")).toMatchObject({ phase: "live", revision: good });
  });
});
