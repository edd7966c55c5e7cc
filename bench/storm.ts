import { watch } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import pLimit from "p-limit";
import { runGit } from "#controller/assets/run-git";
import { dataFolder } from "#core/data-folder";
import type { ObservedState } from "#schemas/observed-state";
import { BenchPlatform, readOnce, until } from "./platform/bench-platform.ts";
import { advance, type PreparedProject } from "./platform/prepared-forge.ts";
import { post, signedPush } from "./platform/signed-delivery.ts";
import type { Files } from "./platform/write-commits.ts";
import { percentile } from "./report/measure.ts";
import { processorSeconds, residentMiB } from "./report/process-figures.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// Everybody pushes at once: storm [repositories]. Each repository is known and gets its first twin; the clock runs from
// the first delivery until the container of the last one has been started. Controller, Redis and forge are real, the
// engine pretends. The reference fetches the same commits from the same forge with git alone.

const maxSeconds = 30;
const maxMiB = 200;
const fetchesAtOnce = 8; // as many as the controller works on at a time
const deliveriesAtOnce = 64;
const count = numberArgument(0, 1_000);

const names = Array.from({ length: count }, (_, n) => `user${n + 1}`);
const platform = await BenchPlatform.prepare(names, (name) => [
  readMe(name),
  { ...readMe(name), ...twin(name) },
]);
try {
  const data = dataFolder(platform.settings.dataFolder);
  const bareFolder = join(data.root, "bare");
  await fetchAll(bareFolder); // the first commits; not counted
  const controller = await platform.startController();
  const runner = await platform.startFakeRunner();
  progress("first look at every project");
  await readOnce(platform);
  await until("the runner has seen everybody", async () => (await observedNames()).length >= count);
  progress(`before: controller ${await memory(controller.pid)}, runner ${await memory(runner.pid)}`);

  for (const project of platform.projects) await advance(project);
  const processorBefore = await processorTimes();
  const started = new Map<string, number>();
  const live = new Map<string, number>();
  const wanted = new Map(platform.projects.map((project) => [project.name, project.head]));
  const look = async (user: string, atMs: number) => {
    const text = await readFile(join(data.observed, `${user}.json`), "utf8").catch(() => undefined);
    const seen = text === undefined ? undefined : (JSON.parse(text) as ObservedState).twins[0];
    if (seen?.revision !== wanted.get(user) || seen?.runId === undefined) return;
    if (!started.has(user) && (seen.phase === "starting" || seen.phase === "live")) started.set(user, atMs);
    if (!live.has(user) && seen.phase === "live") live.set(user, atMs);
  };
  const watcher = watch(data.observed, (_event, name) => {
    if (name?.endsWith(".json")) void look(name.slice(0, -".json".length), performance.now());
  });

  const start = performance.now();
  const acknowledgedMs = await deliverAll(start);
  progress(`all deliveries acknowledged after ${acknowledgedMs.toFixed(0)} ms`);
  let told = start;
  await until("every twin has been started", async () => {
    if (performance.now() - told > 5_000) {
      told = performance.now();
      progress(`${((told - start) / 1_000).toFixed(0)} s: ${started.size} started, ${live.size} live`);
      for (const name of names) if (!started.has(name)) await look(name, performance.now());
    }
    return started.size >= count;
  });
  const processorAfter = await processorTimes();
  const figures = { controller: await residentMiB(controller.pid), runner: await residentMiB(runner.pid) };
  await until("every twin is live", async () => {
    for (const name of names) if (!live.has(name)) await look(name, performance.now());
    return live.size >= count;
  });
  watcher.close();

  const seconds = [...started.values()].map((at) => (at - start) / 1_000).sort((a, b) => a - b);
  const value = seconds.at(-1) ?? Number.NaN;
  const memoryMet = figures.controller.peak <= maxMiB && figures.runner.peak <= maxMiB;
  for (const project of platform.projects) wanted.set(project.name, project.head);
  progress("the same fetches with git alone");
  const reference = await fetchAll(bareFolder);
  const processor = (name: keyof typeof processorAfter) => processorAfter[name] - processorBefore[name];
  report({
    name: `storm: ${count} repositories pushed at once, until every twin is started`,
    ...{ value, unit: "s", p50: percentile(seconds, 0.5), p99: percentile(seconds, 0.99), reference },
    aim: `at most ${maxSeconds} s for 1,000 on 2 cores; controller and runner at most ${maxMiB} MiB each`,
    met: value <= (maxSeconds * count) / 1_000 && memoryMet,
    more: {
      acknowledgedSeconds: acknowledgedMs / 1_000,
      liveSeconds: (Math.max(...live.values()) - start) / 1_000,
      ...{ controllerPeakMiB: figures.controller.peak, runnerPeakMiB: figures.runner.peak },
      ...{ controllerProcessorSeconds: processor("controller"), runnerProcessorSeconds: processor("runner") },
      ...{ forgeProcessorSeconds: processor("forge"), redisProcessorSeconds: processor("redis") },
    },
  });

  async function observedNames(): Promise<string[]> {
    return (await readdir(data.observed).catch(() => [])).filter((name) => name.endsWith(".json"));
  }

  async function processorTimes() {
    const [ofController, ofRunner, ofForge, ofRedis] = await Promise.all(
      [controller.pid, runner.pid, platform.forge.pid, platform.redis.pid].map(processorSeconds),
    );
    return {
      ...{ controller: ofController ?? 0, runner: ofRunner ?? 0 },
      ...{ forge: ofForge ?? 0, redis: ofRedis ?? 0 },
    };
  }
} finally {
  await platform.close();
}

async function memory(pid: number): Promise<string> {
  return `${(await residentMiB(pid)).now.toFixed(0)} MiB`;
}

/** Milliseconds until the last one was acknowledged. */
async function deliverAll(start: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: deliveriesAtOnce });
  const limit = pLimit(deliveriesAtOnce);
  const { secrets } = platform.settings;
  const deliver = async ({ id, path, head }: PreparedProject) => {
    const delivery = signedPush(secrets.webhookSecret, {
      projectId: id,
      path,
      before: "a".repeat(40),
      after: head,
    });
    const status = await post(`${platform.apiUrl}/webhooks/gitlab?project=${id}`, agent, delivery);
    if (status !== 202) throw new Error(`the delivery for ${path} was answered with ${status}`);
  };
  await Promise.all(platform.projects.map((project) => limit(() => deliver(project))));
  agent.destroy();
  return performance.now() - start;
}

/** Fetches every head into a bare repository of its own, made at the first call; resolves with the seconds it took. */
async function fetchAll(folder: string): Promise<number> {
  const token = platform.settings.secrets.forgeRootToken;
  const authorization = Buffer.from(`oauth2:${token}`).toString("base64");
  const limits = { timeoutMs: 60_000, maxOutputBytes: 1024 * 1024 };
  const limit = pLimit(fetchesAtOnce);
  const repositories = platform.projects.map(({ id, path }) => ({ path, gitDir: join(folder, `${id}.git`) }));
  await mkdir(folder, { recursive: true });
  const there = new Set(await readdir(folder));
  for (const { gitDir } of repositories) {
    if (there.has(gitDir.slice(folder.length + 1))) continue;
    await runGit({}, { args: ["init", "--quiet", "--bare", "--template=", gitDir], ...limits });
  }
  const start = performance.now();
  const fetchOne = ({ path, gitDir }: { path: string; gitDir: string }) =>
    runGit(
      {},
      {
        gitDir,
        args: [
          "fetch",
          "--quiet",
          "--no-tags",
          `${platform.forgeUrl}/${path}.git`,
          "+refs/heads/main:refs/heads/main",
        ],
        config: { "http.extraHeader": `Authorization: Basic ${authorization}` },
        ...limits,
      },
    );
  await Promise.all(repositories.map((repository) => limit(() => fetchOne(repository))));
  return (performance.now() - start) / 1_000;
}

function readMe(name: string): Files {
  return { "README.md": `# ${name}\n` };
}

function twin(name: string): Files {
  const folder = "digital_twins/tank";
  return {
    [`${folder}/dt.yaml`]: `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: tank, title: Tank of ${name} }
spec:
  state: running
  workspace: { template: base }
  environment: { OWNER: ${name} }
  lifecycle:
    execute: { run: lifecycle/execute }
`,
    [`${folder}/lifecycle/execute`]: "#!/bin/sh\nwhile true; do sleep 1; done\n",
    [`${folder}/README.md`]: "A tank.\n",
    "models/tank/tank.py": `# ${name}\n${"level = 1.0\n".repeat(50)}`,
    "data/tank/recording.csv": "time,level\n0,1.0\n",
  };
}
