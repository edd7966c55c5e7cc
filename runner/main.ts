import { dataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { createLogger, type Logger } from "#core/logger";
import { renderWorkspace } from "#templates/render-workspace";
import { composeRunner } from "./compose-runner.ts";
import { type RunnerConfig, readRunnerConfig } from "./config.ts";
import { createDockerEngine } from "./engine/docker/docker-engine.ts";
import type { Engine } from "./engine/engine.ts";
import { machineWorkspace } from "./engine/process/machine-workspace.ts";
import { createProcessEngine } from "./engine/process/process-engine.ts";
import { createImageBuilder } from "./images/build-image.ts";
import { collectImages } from "./images/collect-images.ts";
import { readMachineRegistries } from "./images/machine-registries.ts";
import { runnerMetrics } from "./metrics.ts";
import { loadRunnerKeys, rotateRunnerKey } from "./secrets/runner-key.ts";
import { serveProbes } from "./serve-probes.ts";
import { startRunner } from "./start-runner.ts";
import { stopAll } from "./stop-all.ts";
import type { RenderWorkspace } from "./twins/image-shelf.ts";

const pingRedisDeadlineMs = 2_000;
// An image that no twin refers to is kept this long, for whoever pushes the old packages again.
const unusedImageAgeMs = 14 * 24 * 3_600_000;

/**
 * `runner/main.js` serves until SIGTERM; `--stop-all` ends every twin of this installation; `--public-key` prints what
 * secrets are sealed to, and makes the key where there is none; `--rotate-key` makes a new one and prints it likewise.
 */
async function main(): Promise<void> {
  const config = readRunnerConfig();
  const logger = createLogger("runner", config.logLevel);
  if (process.argv.includes("--stop-all")) return await stopEverything(config, logger);
  const prints = { "--public-key": loadRunnerKeys, "--rotate-key": rotateRunnerKey };
  for (const [option, keysOf] of Object.entries(prints)) {
    if (!process.argv.includes(option)) continue;
    process.stdout.write(`${(await keysOf(dataFolder(config.dataFolder))).publicKey}\n`);
    return;
  }
  await serve(config, logger);
}

async function serve(config: RunnerConfig, logger: Logger): Promise<void> {
  const data = dataFolder(config.dataFolder);
  const engine = engineOf(config, logger);
  const metrics = runnerMetrics();
  const { images } = engine;
  const builder = createImageBuilder({
    images,
    data,
    registries: () => readMachineRegistries(config.registrySettings),
  });
  const runner = await startRunner({
    data,
    redisUrl: config.redisUrl,
    engine,
    logger,
    metrics,
    render: renderFor(config),
    secretsFolder: config.secretsFolder,
    build: async ({ workspace }, signal) => void (await builder.ensure(workspace, signal)),
    buildImage: (workspace, signal) => builder.ensure(workspace, signal),
    buildSession: (workspace, signal) => builder.ensure(workspace, signal, { withSession: true }),
    controllerUrl: config.controllerUrl,
    collectImages: async (keep, minAgeMs = unusedImageAgeMs) => {
      const gone = await collectImages(images, { keep, minAgeMs, nowMs: Date.now() });
      if (gone.length > 0) logger.info({ images: gone.length }, "unused images removed");
    },
  });
  const probes =
    config.metricsPort === undefined
      ? undefined
      : await serveProbes(config.metricsPort, metrics.registry, {
          engine: () => engine.ping(),
          redis: () => runner.pingRedis(AbortSignal.timeout(pingRedisDeadlineMs)),
        });
  logger.info({ engine: engine.name, installation: config.installation }, "runner serves");
  await untilStopped();
  logger.info("stopping; twins go on");
  await probes?.close();
  await runner.close();
}

async function stopEverything(config: RunnerConfig, logger: Logger): Promise<void> {
  const engine = engineOf(config, logger);
  const nothing = () => undefined;
  const runner = await composeRunner(
    {
      data: dataFolder(config.dataFolder),
      engine,
      logger,
      metrics: runnerMetrics(),
      render: renderFor(config),
      secretsFolder: config.secretsFolder,
    },
    { nudge: nothing, wakeAt: nothing, requestBuild: nothing, tellController: nothing },
  );
  const { stopped } = await stopAll(runner);
  logger.info({ stopped }, "all containers of this installation have ended");
  await runner.logs.close();
  await engine.close();
}

function renderFor(config: RunnerConfig): RenderWorkspace {
  return config.engine === "process" ? machineWorkspace : renderWorkspace;
}

function engineOf(config: RunnerConfig, logger: Logger): Engine {
  const { installation, networkPool, dockerHost, isolation, onlyUser } = config;
  if (config.engine === "process") {
    return createProcessEngine({
      installation,
      dataFolder: dataFolder(config.dataFolder),
      logger,
      isolation,
      ...(onlyUser === undefined ? {} : { onlyUser }),
    });
  }
  return createDockerEngine({
    installation,
    networkPool,
    dataFolder: dataFolder(config.dataFolder),
    logger,
    ...(dockerHost === undefined ? {} : { dockerHost }),
  });
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}

main().catch((error: unknown) => {
  const isKnown = error instanceof ActionNeededError;
  const text = isKnown ? `${error.code}: ${error.message}${error.hint ? ` (${error.hint})` : ""}` : error;
  createLogger("runner", "error").fatal(isKnown ? { code: error.code } : { err: error }, String(text));
  process.exitCode = 1;
});
