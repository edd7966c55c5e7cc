import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const docker = promisify(execFile);

/** A twin that stays up and prints one line; its script is part of its folder. */
function spec(name: string, more = ""): string {
  return `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: ${name}, title: Story twin }
spec:
  state: running
  workspace: { template: base }
  lifecycle:
    execute: { run: lifecycle/execute }
${more}`;
}

const script = "#!/bin/sh\necho up as $DT_NAME\nwhile true; do sleep 1; done\n";

async function addTwin(clone: Clone, name: string, more = ""): Promise<void> {
  await clone.write(`digital_twins/${name}/dt.yaml`, spec(name, more));
  await clone.write(`digital_twins/${name}/lifecycle/execute`, script, 0o755);
}

describe("a user with nothing but git", () => {
  let platform: Platform;
  let clone: Clone;

  const phase = async (name: string) => (await platform.twin("user1", name))?.phase;
  const isLive = (name: string) =>
    until(
      `${name} is live`,
      async () => (await phase(name)) === "live" || (await platform.twin("user1", name)),
    );
  const status = async (commit: string, name: string) =>
    (await platform.statuses("user1", commit)).find((one) => one.name === `dtaas/${name}`);

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("pushes a folder with a twin and sees it live, in docker and on the commit", async () => {
    await addTwin(clone, "pump");
    const commit = await clone.push("feat: add a pump");
    await isLive("pump");
    const twin = await platform.twin("user1", "pump");
    expect(twin?.revision).toBe(commit);
    const names = (await platform.containers()).map(({ name }) => name);
    expect(names).toEqual([expect.stringMatching(new RegExp(`user1-pump-execute-${twin?.runId}$`))]);
    await until("the commit says success", async () => (await status(commit, "pump"))?.status === "success");
    const list = await platform.cli("twin", "list");
    expect(list.stdout).toMatch(/pump.*live/);
  });

  test("reads the log of the run", async () => {
    const twin = await platform.twin("user1", "pump");
    await until("the line is on disk", async () => {
      const { stdout } = await platform.cli("twin", "logs", "user1/pump");
      return stdout.includes("up as pump") || stdout;
    });
    expect(twin?.runId).toBeDefined();
  });

  test("kills the container and it is back within five seconds", async () => {
    const before = await platform.twin("user1", "pump");
    const killedAt = Date.now();
    await docker("docker", ["kill", before?.containerId ?? ""]);
    await until("another container runs", async () =>
      (await platform.containers()).some(
        ({ id, name, state }) =>
          name.includes("user1-pump-execute") && state === "running" && id !== before?.containerId,
      ),
    );
    expect(Date.now() - killedAt).toBeLessThan(30_000); // the promise of five seconds is measured by the bench, not here
    await isLive("pump");
  });

  test("pushes a broken spec: the commit names the line, and the old twin runs on", async () => {
    const before = await platform.twin("user1", "pump");
    await clone.write(
      "digital_twins/pump/dt.yaml",
      spec("pump").replace("state: running", "state: runnning"),
    );
    const commit = await clone.push("fix: break it");
    await until("the commit says failed", async () => (await status(commit, "pump"))?.status === "failed");
    expect((await status(commit, "pump"))?.description).toMatch(/^digital_twins\/pump\/dt\.yaml:5:\d+: /);
    const after = await platform.twin("user1", "pump");
    expect(after).toMatchObject({ phase: "live", containerId: before?.containerId });
    await clone.write("digital_twins/pump/dt.yaml", spec("pump"));
    const mended = await clone.push("fix: mend it");
    await until("the commit says success", async () => (await status(mended, "pump"))?.status === "success");
    expect((await platform.twin("user1", "pump"))?.containerId).toBe(before?.containerId);
  });

  test("pushes a change of the README and nothing restarts", async () => {
    const before = await platform.twin("user1", "pump");
    await clone.write("README.md", "# mine\n");
    await clone.write("digital_twins/pump/README.md", "# a pump\n");
    const commit = await clone.push("docs: say more");
    await until("the commit says success", async () => (await status(commit, "pump"))?.status === "success");
    expect(await platform.twin("user1", "pump")).toMatchObject({
      phase: "live",
      containerId: before?.containerId,
    });
  });

  test("changes the script, and exactly this twin is replaced", async () => {
    await addTwin(clone, "valve");
    await clone.push("feat: add a valve");
    await isLive("valve");
    const valve = await platform.twin("user1", "valve");
    const pump = await platform.twin("user1", "pump");
    await clone.write("digital_twins/pump/lifecycle/execute", script.replace("up as", "now up as"), 0o755);
    const commit = await clone.push("feat: say it otherwise");
    await until("the new pump is live", async () => {
      const twin = await platform.twin("user1", "pump");
      return (twin?.revision === commit && twin.phase === "live") || twin;
    });
    expect((await platform.twin("user1", "pump"))?.containerId).not.toBe(pump?.containerId);
    expect((await platform.twin("user1", "valve"))?.containerId).toBe(valve?.containerId);
  });

  test("stops and starts it with the command, which is a commit to the spec", async () => {
    expect((await platform.cli("twin", "stop", "user1/valve")).code).toBe(0);
    await until("it is ready", async () => (await phase("valve")) === "ready" || (await phase("valve")));
    await clone.git("pull", "-q", "origin", "main");
    expect(await clone.read("digital_twins/valve/dt.yaml")).toContain("state: stopped");
    expect((await platform.cli("twin", "start", "user1/valve")).code).toBe(0);
    await isLive("valve");
    await clone.git("pull", "-q", "origin", "main");
  });

  test("pushes a revision that never gets healthy, and the last good one runs again", async () => {
    const health =
      "  health: { http: { port: 8000, path: / }, interval: 500ms, timeout: 500ms }\n  rollout: { timeout: 3s }\n";
    const before = await platform.twin("user1", "valve");
    await clone.write("digital_twins/valve/dt.yaml", spec("valve", health));
    const commit = await clone.push("feat: promise a port that is not there");
    await until("the commit says failed", async () => (await status(commit, "valve"))?.status === "failed");
    await isLive("valve");
    expect((await platform.twin("user1", "valve"))?.revision).toBe(before?.revision);
    expect((await status(commit, "valve"))?.description).toContain("returned to");
  });

  test("deletes the folders, and they are gone", async () => {
    await clone.remove("digital_twins/pump");
    await clone.remove("digital_twins/valve");
    await clone.push("chore: remove them");
    await until(
      "nothing is left",
      async () => (await platform.containers()).length === 0 && (await platform.twins()).length === 0,
    );
  });
});

describe("the platform under fire", () => {
  let platform: Platform;
  let clone: Clone;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    await addTwin(clone, "first"); // so that the image is there
    await clone.push("feat: the first");
    await until("it is live", async () => (await platform.twin("user1", "first"))?.phase === "live");
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("loses Redis, controller and runner in the middle of ten pushes, and starts each twin once", async () => {
    const since = new Date();
    const names = Array.from({ length: 10 }, (_, index) => `twin${index}`);
    for (const [index, name] of names.entries()) {
      await addTwin(clone, name);
      await clone.push(`feat: ${name}`);
      if (index === 4) {
        await platform.flushRedis();
        await Promise.all([platform.controller?.kill(), platform.runner?.kill()]);
      }
    }
    await Promise.all([platform.startController(), platform.startRunner()]);
    await until("all ten are live", async () => {
      const twins = (await platform.twins()).filter(({ name }) => names.includes(name));
      return (
        (twins.length === 10 && twins.every(({ phase }) => phase === "live")) ||
        JSON.stringify(twins.map(({ phase }) => phase))
      );
    });
    const starts = [...(await platform.starts(since)).values()].filter(
      ({ operation }) => operation === "execute",
    );
    expect(starts.map(({ twin, starts: count }) => `${twin} ${count}`).sort()).toEqual(
      names.map((name) => `${name} 1`).sort(),
    );
    expect((await platform.containers()).filter(({ state }) => state === "running")).toHaveLength(11);
  });

  test("is restarted with nothing to do, and does nothing", async () => {
    const since = new Date();
    const before = (await platform.containers()).map(({ id }) => id).sort();
    await Promise.all([platform.controller?.kill(), platform.runner?.kill()]);
    await Promise.all([platform.startController(), platform.startRunner()]);
    await until("it has looked", async () => (await platform.twins()).every(({ phase }) => phase === "live"));
    expect((await platform.containers()).map(({ id }) => id).sort()).toEqual(before);
    expect(await platform.starts(since)).toEqual(new Map());
  });
});
