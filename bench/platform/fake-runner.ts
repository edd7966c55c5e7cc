import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { readRunnerConfig } from "#runner/config";
import { createFakeEngine } from "#runner/engine/fake/fake-engine";
import { FakeWorld } from "#runner/engine/fake/fake-world";
import { runnerMetrics } from "#runner/metrics";
import { startRunner } from "#runner/start-runner";
import { renderWorkspace } from "#templates/render-workspace";

// The runner as `runner/main.ts` puts it together, on an engine that pretends: a process of its own, for benches.

const config = readRunnerConfig();
const logger = createLogger("runner", config.logLevel);
const engine = createFakeEngine(new FakeWorld());
const runner = await startRunner({
  data: dataFolder(config.dataFolder),
  redisUrl: config.redisUrl,
  engine,
  logger,
  metrics: runnerMetrics(),
  render: renderWorkspace,
  build: async ({ workspace }, signal) => {
    const recipe = await renderWorkspace(workspace, { baseImageId: await engine.images.base() });
    await engine.images.build(recipe, () => undefined, signal);
  },
  buildImage: async () => {
    throw new Error("this runner runs no jobs of pipelines");
  },
  buildSession: async () => {
    throw new Error("this runner has no workspaces");
  },
  controllerUrl: "http://127.0.0.1:1",
  collectImages: () => Promise.resolve(),
});
process.once("SIGTERM", () => void runner.close());
