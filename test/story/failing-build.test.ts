import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, runningSpec, writeTwin } from "./twin-files.ts";

const missing = "no-such-package-anywhere";

describe("an image that can never be built", () => {
  let platform: Platform;
  let unlucky: Clone;
  let modest: Clone;

  const tank = async () => await platform.twin("unlucky", "tank");
  const status = async (commit: string) =>
    (await platform.statuses("unlucky", commit)).find(({ name }) => name === "dtaas/tank");
  /** The one note of failed builds: where it lies, and what it says. */
  const failure = async () => {
    const folder = join(platform.settings.dataFolder, "builds");
    const [name = ""] = (await readdir(folder)).filter((file) => file.endsWith(".failed.json"));
    const path = join(folder, name);
    return { path, ...((await readJson(path)) as { failures: number; reason: string; at: string }) };
  };

  beforeAll(async () => {
    platform = await Platform.start({ users: ["unlucky", "modest"] });
    [unlucky, modest] = await Promise.all([platform.clone("unlucky"), platform.clone("modest")]);
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("the twin is shown as failed with the reason and the time of the next try, and keeps nobody waiting", async () => {
    await writeTwin(unlucky, "tank");
    const packages = `{ template: base, packages: { apt: [${missing}] } }`;
    await unlucky.write(
      "digital_twins/tank/dt.yaml",
      runningSpec("tank").replace("{ template: base }", packages),
    );
    const commit = await unlucky.push("feat: a tank that asks for nonsense");
    await goesLive(platform, modest, "modest", "beside a build that fails");
    await until("the twin has failed", async () => {
      const twin = await tank();
      return (twin?.phase === "failed" && twin.reason?.includes(missing)) || JSON.stringify(twin);
    });
    expect((await tank())?.reason).toMatch(/; build \d of 4, the next one at \d\d:\d\d:\d\d UTC$/);
    await until("the commit says so", async () => {
      const found = await status(commit);
      return (found?.status === "failed" && found.description.includes(missing)) || JSON.stringify(found);
    });
  });

  test("after the last try it is quarantined: however often it is looked at, it is not built again", async () => {
    // An hour passes, in which all builds but one have been tried.
    const { path, ...before } = await failure();
    await writeJsonAtomic(path, {
      ...before,
      failures: 3,
      at: new Date(Date.now() - 3_600_000).toISOString(),
    });
    await unlucky.write("README.md", "# Where is my tank?\n");
    const commit = await unlucky.push("docs: ask for the tank");
    await until("it is quarantined", async () => {
      const { stdout } = await platform.cli("twin", "list");
      const line = stdout.split("\n").find((text) => text.includes("tank")) ?? stdout;
      return (line.includes("failed") && line.includes("quarantined after 4 failed builds")) || line;
    });
    await until("the commit says so", async () => {
      const found = await status(commit);
      return (
        (found?.status === "failed" && found.description.includes("quarantined")) || JSON.stringify(found)
      );
    });
    const last = await failure();
    expect(last.failures).toBe(4);
    await unlucky.write("README.md", "# Still no tank\n");
    const again = await unlucky.push("docs: ask once more");
    await until("it has been looked at again", async () => (await status(again))?.status === "failed");
    await goesLive(platform, modest, "modest", "beside a quarantined twin");
    expect(await failure()).toEqual(last);
  });

  test("a push that mends it brings the twin up", async () => {
    await unlucky.write("digital_twins/tank/dt.yaml", runningSpec("tank"));
    const commit = await unlucky.push("fix: ask for what there is");
    await until("the twin is live", async () => {
      const twin = await tank();
      return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
    });
    await until("the commit says so", async () => (await status(commit))?.status === "success");
  });
});
