import { readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineToKeep } from "#cli/up/keep-engine";
import { keeper } from "#cli/up/keeper";
import { Stops } from "#cli/up/stops";
import { Terminal } from "#cli/up/terminal";
import type { StartedEngine } from "#embedded/engine/start-dockerd";
import type { Clone } from "./clone.ts";
import { type OwnDockerd, startOwnDockerd } from "./own-dockerd.ts";
import { Platform, until } from "./platform.ts";
import { writeTwin } from "./twin-files.ts";

const names = ["mill", "press", "pump"];

describe("the container engine", () => {
  let own: OwnDockerd;
  let engine: StartedEngine;
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
  const startsSince = async (date: Date) =>
    [...(await platform.starts(date)).values()].map(({ twin, starts }) => `${twin} ${starts}`).sort();

  beforeAll(async () => {
    own = await startOwnDockerd();
    engine = own.engine;
    platform = await Platform.start({ users: ["user1"], dockerHost: own.dockerHost });
    clone = await platform.clone("user1");
    since = new Date();
    for (const name of names) await writeTwin(clone, name);
    await clone.push("feat: three twins");
    await areLive();
  });
  afterAll(async () => {
    try {
      await platform?.close();
    } finally {
      await stops.run();
      await engine?.stop();
      await own?.remove();
    }
  });

  test("restarted: meanwhile nobody claims that a twin is live, afterwards all are, each run started once", async () => {
    expect(await startsSince(since)).toEqual(names.map((name) => `${name} 1`));
    const before = await platform.twins();
    process.kill(await pid(), "SIGTERM");
    await engine.exited;
    await until("the twins are said to be unseen", async () => {
      const { stdout } = await platform.cli("twin", "list");
      const lines = stdout.split("\n").filter((line) => names.some((name) => line.includes(name)));
      const isSaid = (line: string) => / unknown .* the container engine does not answer; it was /.test(line);
      return (lines.length === names.length && lines.every(isSaid)) || stdout;
    });
    const restartedAt = new Date();
    engine = await engine.startAgain();
    await areLive();
    expect((await running()).length).toBe(names.length);
    expect(await startsSince(restartedAt)).toEqual(names.map((name) => `${name} 1`));
    // Nothing is lost: what ran until then is in the history, with its end.
    for (const { name, runId } of before) {
      const { body } = await platform.api(`/twins/user1/${name}/runs/${runId}`);
      expect(body).toMatchObject({ id: runId, state: "ended" });
    }
  });

  test("killed: up starts it again and says so, and what is pushed meanwhile goes live", async () => {
    await keeper(terminal, stops).process("engine", engineToKeep(engine));
    const killed = await pid();
    process.kill(killed, "SIGKILL");
    await writeTwin(clone, "pump", { says: "pushed meanwhile" });
    const commit = await clone.push("feat: another pump");
    await until("another engine runs", async () => (await pid()) !== killed);
    await until("the push is live", async () => {
      const twin = await platform.twin("user1", "pump");
      return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
    });
    await areLive();
    expect((await running()).length).toBe(names.length);
    const told = String(said.read())
      .split("\n")
      .filter((line) => line.includes("engine"));
    // A killed engine may leave a containerd behind that the next one has to wait for: then it takes one more start.
    expect(told[0]).toBe("warning: dockerd ended with SIGKILL; engine is started again in 0.5 s");
    expect(told.slice(1, -1).every((line) => /^warning: .*; engine is started again in \d/.test(line))).toBe(
      true,
    );
    expect(told.at(-1)).toBe("engine is back");
  });
});
