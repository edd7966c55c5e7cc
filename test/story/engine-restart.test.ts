import { readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineToKeep } from "#cli/up/keep-engine";
import { keeper } from "#cli/up/keeper";
import { Stops } from "#cli/up/stops";
import { Terminal } from "#cli/up/terminal";
import { type OwnDockerd, startOwnDockerd } from "./own-dockerd.ts";
import { type Clone, Platform, until } from "./platform.ts";
import { writeTwin } from "./twin-files.ts";

const names = ["mill", "press", "pump"];

describe("the container engine is restarted", () => {
  let own: OwnDockerd;
  let platform: Platform;
  let clone: Clone;
  let since: Date;
  const said = new PassThrough();
  const terminal = new Terminal(said);
  const stops = new Stops(terminal);

  const areLive = () =>
    until("all twins are live", async () => {
      const twins = await platform.twins();
      const live = twins.filter(({ phase }) => phase === "live").map(({ name }) => name);
      return live.sort().join() === names.join() || JSON.stringify(twins);
    });
  const running = async () => (await platform.containers()).filter(({ state }) => state === "running");
  const pid = async () => Number(await readFile(own.pidFile, "utf8"));

  beforeAll(async () => {
    own = await startOwnDockerd();
    await keeper(terminal, stops).process("engine", engineToKeep(own.engine));
    platform = await Platform.start({ users: ["user1"], dockerHost: own.dockerHost });
    clone = await platform.clone("user1");
    since = new Date();
    for (const name of names) await writeTwin(clone, name);
    await clone.push("feat: three twins");
    await areLive();
  });
  afterAll(async () => {
    await platform?.close();
    await stops.run();
    await own?.remove();
  });

  test("while it is away nobody claims that a twin is live; afterwards all are, and each run was started once", async () => {
    const before = await platform.starts(since);
    const lastGood = await platform.twins();
    const engine = await pid();
    process.kill(engine, "SIGSTOP"); // it is there and answers nothing: nothing can be restarted yet
    await until("the twins are said to be unseen", async () => {
      const { stdout } = await platform.cli("twin", "list");
      const lines = stdout.split("\n").filter((line) => names.some((name) => line.includes(name)));
      return (lines.length === 3 && lines.every((line) => line.includes("unknown"))) || stdout;
    });
    expect((await platform.twin("user1", "pump"))?.reason).toBe(
      "the container engine does not answer; it was live",
    );
    const restartedAt = new Date();
    process.kill(engine, "SIGKILL");
    await until("another engine runs", async () => (await pid()) !== engine);
    await areLive();
    expect((await running()).length).toBe(names.length);
    const after = await platform.starts(restartedAt);
    expect([...before.values()].map(({ twin, starts }) => `${twin} ${starts}`).sort()).toEqual(
      names.map((name) => `${name} 1`),
    );
    expect([...after.values()].map(({ twin, starts }) => `${twin} ${starts}`).sort()).toEqual(
      names.map((name) => `${name} 1`),
    );
    for (const runId of after.keys()) expect(before.has(runId)).toBe(false);
    // Nothing is lost: what ran until then is in the history, with its end.
    for (const { name, runId } of lastGood) {
      const { body } = await platform.api(`/twins/user1/${name}/runs/${runId}`);
      expect(body).toMatchObject({ id: runId, state: "ended" });
    }
    const text = String(said.read());
    expect(text).toMatch(/^warning: dockerd ended with SIGKILL; engine is started again in \d\.\d s$/m);
    expect(text).toMatch(/^engine is back$/m);
  });

  test("what is pushed while it is away goes live when it is back", async () => {
    await areLive();
    const engine = await pid();
    process.kill(engine, "SIGKILL");
    await writeTwin(clone, "pump", { says: "pushed meanwhile" });
    const commit = await clone.push("feat: another pump");
    await until("another engine runs", async () => (await pid()) !== engine);
    await until("the push is live", async () => {
      const twin = await platform.twin("user1", "pump");
      return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
    });
    await areLive();
    expect((await running()).length).toBe(names.length);
  });
});
