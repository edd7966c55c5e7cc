import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ChildSettings,
  controllerEnvironment,
  forgeEnvironment,
  forgeUrl,
  httpUrl,
  runnerEnvironment,
} from "#cli/up/child-environments";
import { dataFolder } from "#core/data-folder";
import type { RunningRedis } from "#embedded/redis/start-redis";
import { freshSettings } from "#test/fixtures/fresh-settings";
import { progress } from "../report/report.ts";
import { type BenchProcess, startBenchProcess } from "./bench-process.ts";
import { type PreparedProject, prepareForge } from "./prepared-forge.ts";
import type { Files } from "./write-commits.ts";

const upDeadlineMs = 10 * 60_000;
const noResyncSeconds = "9999"; // the bench sends the deliveries; nothing else shall find the change

/** The platform as its real processes on prepared repositories; only the container engine is pretended. */
export class BenchPlatform {
  readonly settings: ChildSettings;
  readonly projects: PreparedProject[];
  readonly common: PreparedProject;
  readonly redis: RunningRedis;
  readonly forge: BenchProcess;
  controller: BenchProcess | undefined;
  runner: BenchProcess | undefined;

  private constructor(
    settings: ChildSettings,
    { projects, common }: { projects: PreparedProject[]; common: PreparedProject },
    redis: RunningRedis,
    forge: BenchProcess,
  ) {
    this.settings = settings;
    this.projects = projects;
    this.common = common;
    this.redis = redis;
    this.forge = forge;
  }

  /** Redis and the forge run; the others are started by name. */
  static async prepare(
    names: readonly string[],
    commitsOf: (name: string) => [Files, ...Files[]],
    shared?: [Files, ...Files[]],
  ): Promise<BenchPlatform> {
    const folder = await mkdtemp(join(tmpdir(), "dtaas-bench-"));
    const { settings, redis } = await freshSettings(folder);
    progress(`preparing ${names.length} repositories in ${folder}`);
    const prepared = await prepareForge(settings, names, commitsOf, shared);
    const env = forgeEnvironment(settings);
    const forge = await startBenchProcess(folder, "forge", { script: "embedded/forge/main.js", env });
    const platform = new BenchPlatform(settings, prepared, redis, forge);
    await until("the forge answers", async () => (await fetch(platform.forgeUrl)).status > 0);
    return platform;
  }

  get forgeUrl(): string {
    return forgeUrl(this.settings.ports);
  }

  get apiUrl(): string {
    return httpUrl(this.settings.ports);
  }

  async startController(): Promise<BenchProcess> {
    const env = { ...controllerEnvironment(this.settings), DTAAS_RESYNC_SECONDS: noResyncSeconds };
    const { dataFolder } = this.settings;
    this.controller = await startBenchProcess(dataFolder, "controller", {
      script: "controller/main.js",
      env,
    });
    await until("the controller listens", async () => (await fetch(`${this.apiUrl}/healthz`)).status > 0);
    return this.controller;
  }

  /** The runner on an engine that only pretends. */
  async startFakeRunner(): Promise<BenchProcess> {
    const script = "bench/platform/fake-runner.js";
    const env = runnerEnvironment(this.settings);
    this.runner = await startBenchProcess(this.settings.dataFolder, "runner", { script, env });
    return this.runner;
  }

  async close(): Promise<void> {
    await this.controller?.stop();
    await this.runner?.stop();
    await this.forge.stop();
    await this.redis.stop();
    await rm(this.settings.dataFolder, { recursive: true, force: true });
  }
}

/** Waits for a condition, asking every `everyMs`; throws when it does not come. */
export async function until(what: string, holds: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const deadline = Date.now() + upDeadlineMs;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`waited ${upDeadlineMs} ms in vain: ${what}`);
    await sleep(everyMs);
  }
}

/** Resolves when the controller has read every project once. */
export async function readOnce(platform: BenchPlatform): Promise<void> {
  const { desired } = dataFolder(platform.settings.dataFolder);
  await until("every project has been read", async () => {
    const written = (await readdir(desired)).filter((name) => name.endsWith(".json"));
    return written.length >= platform.projects.length;
  });
}
