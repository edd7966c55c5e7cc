import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readJson } from "#core/atomic-file";
import type { RunManifest, RunOutcome } from "#schemas/run";
import type { Clone } from "../story/clone.ts";
import { Platform, until } from "../story/platform.ts";

// npm run kills -- 200 7: that many kills, in the order that this seed gives.
const kills = Number(process.env["DTAAS_KILLS"] ?? "20");
const seed = Number(process.env["DTAAS_SEED"] ?? "1");
const checkEvery = 20;
const twinNames = Array.from({ length: 8 }, (_, index) => `twin${index}`);
const docker = promisify(execFile);

/** mulberry32: the same seed gives the same story. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const spec = (name: string) => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: ${name} }
spec:
  state: running
  workspace: { template: base }
  restart: { policy: on-failure, maxRetries: 10, backoff: 500ms }
  lifecycle: { execute: { run: lifecycle/execute, grace: 1s } }
`;
const script = (version: number) =>
  `#!/bin/sh\n# version ${version}\necho version ${version}\nexec sleep 100000\n`;

let platform: Platform;
let clone: Clone;

beforeAll(async () => {
  platform = await Platform.start({ users: ["user1"] });
  clone = await platform.clone("user1");
}, 120_000);
afterAll(async () => {
  await platform?.close();
}, 120_000);

test(`${kills} kills at random points (seed ${seed}) lose nothing and double nothing`, async () => {
  const next = random(seed);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)] as T;
  const since = new Date();
  const versions = new Map<string, number>();
  const killedRuns = new Set<string>();
  let version = 0;
  const push = async (name: string, what: "change" | "remove") => {
    version += 1;
    if (what === "remove" && versions.has(name) && versions.size > 3) {
      await clone.remove(`digital_twins/${name}`);
      versions.delete(name);
    } else {
      await clone.write(`digital_twins/${name}/dt.yaml`, spec(name));
      await clone.write(`digital_twins/${name}/lifecycle/execute`, script(version), 0o755);
      versions.set(name, version);
    }
    await clone.push(`version ${version}: ${what} ${name}`);
  };
  for (const name of twinNames.slice(0, 4)) await push(name, "change");

  for (let kill = 1; kill <= kills; kill += 1) {
    const action = next();
    if (action < 0.7) await push(pick(twinNames), next() < 0.8 ? "change" : "remove");
    else if (action < 0.85) await killContainer(pick, killedRuns);
    else if (action < 0.92) await platform.flushRedis();
    await sleep(next() * 1_500); // the random point: milliseconds after the push
    const victim = pick(["controller", "runner", "both"] as const);
    if (victim !== "runner") await platform.controller?.kill();
    if (victim !== "controller") await platform.runner?.kill();
    if (victim !== "runner") await platform.startController();
    if (victim !== "controller") await platform.startRunner();
    if (kill % checkEvery === 0 || kill === kills) {
      await converged(versions);
      await nothingDoubled(since, killedRuns);
      process.stdout.write(
        `${kill} kills, ${version} pushes: all ${versions.size} twins live, nothing doubled\n`,
      );
    }
  }
}, 3_600_000);

async function killContainer(pick: <T>(choices: readonly T[]) => T, killedRuns: Set<string>): Promise<void> {
  const running = (await platform.containers()).filter(
    ({ state, name }) => state === "running" && name.includes("-execute-"),
  );
  if (running.length === 0) return;
  const { id, name } = pick(running);
  killedRuns.add(name.slice(name.lastIndexOf("-") + 1));
  await docker("docker", ["kill", id]).catch(() => undefined); // it may have ended in this moment
}

/** Lost nothing: what Git says is what runs, at the version that was pushed last. */
async function converged(versions: ReadonlyMap<string, number>): Promise<void> {
  await until(
    "every twin is live at its last version, and nothing else runs",
    async () => {
      const twins = await platform.twins();
      const running = (await platform.containers()).filter(({ state }) => state === "running");
      const names = twins
        .filter(({ phase }) => phase === "live")
        .map(({ name }) => name)
        .sort();
      const isComplete =
        names.join() === [...versions.keys()].sort().join() &&
        twins.length === versions.size &&
        running.length === versions.size;
      const seen = JSON.stringify({
        twins: twins.map(({ name, phase, reason }) => `${name} ${phase} ${reason ?? ""}`),
        running: running.length,
      });
      if (!isComplete) return seen;
      for (const { name, runId } of twins) {
        const log = await platform.api(`/twins/user1/${name}/runs/${runId}/log`, { text: true });
        if (!String(log.body).includes(`version ${versions.get(name)}`))
          return `${name} runs another version: ${String(log.body)}`;
      }
      return true;
    },
    120_000,
  );
}

/** Doubled nothing: each run was started once, no two executions of a twin overlapped, none was repeated without cause. */
async function nothingDoubled(since: Date, killedRuns: ReadonlySet<string>): Promise<void> {
  const starts = await platform.starts(since);
  expect([...starts].filter(([, run]) => run.starts !== 1)).toEqual([]);
  for (const name of twinNames) {
    const runs = (await readRuns(name)).sort((a, b) =>
      a.manifest.createdAt < b.manifest.createdAt ? -1 : 1,
    );
    for (const [key, executions] of group(runs)) {
      const repeated = executions
        .slice(0, -1)
        .filter(({ manifest, outcome }) => !killedRuns.has(manifest.id) && outcome?.outcome !== "stopped");
      expect(
        repeated.map(({ manifest, outcome }) => ({ key, run: manifest.id, outcome })),
        `${name} was executed again without cause`,
      ).toEqual([]);
    }
    for (const [index, run] of runs.entries()) {
      const later = runs[index + 1];
      if (!later?.outcome?.startedAt || !run.outcome?.finishedAt) continue;
      expect(
        later.outcome.startedAt >= run.outcome.finishedAt,
        `${run.manifest.id} and ${later.manifest.id} overlapped`,
      ).toBe(true);
    }
  }
}

interface Run {
  manifest: RunManifest;
  outcome: RunOutcome | undefined;
}

function keyOf(run: Run): string {
  return run.manifest.sourceKey;
}

function group(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(keyOf(run), [...(groups.get(keyOf(run)) ?? []), run]);
  return groups;
}

async function readRuns(twin: string): Promise<Run[]> {
  const folder = join(platform.settings.dataFolder, "runs", "user1", twin);
  const ids = await readdir(folder).catch(() => []);
  const runs = await Promise.all(
    ids.map(async (id) => ({
      manifest: (await readJson(join(folder, id, "manifest.json"))) as RunManifest,
      outcome: (await readJson(join(folder, id, "outcome.json"))) as RunOutcome | undefined,
    })),
  );
  return runs.filter(({ manifest }) => manifest.operation === "execute");
}
