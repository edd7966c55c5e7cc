import { dataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { createLogger } from "#core/logger";
import { packageVersion } from "#core/package-root";
import { listWorkspaceTemplates } from "#templates/workspace-templates";
import { readControllerConfig } from "./config.ts";
import { openForge } from "./forge/open-forge.ts";
import { startController } from "./start-controller.ts";

async function main(): Promise<void> {
  const config = readControllerConfig();
  const logger = createLogger("controller", config.logLevel);
  const controller = await startController({
    config,
    data: dataFolder(config.dataFolder),
    forge: openForge(config),
    logger,
    version: packageVersion,
    templates: (await listWorkspaceTemplates()).map(({ name }) => name),
  });
  logger.info({ host: config.httpHost, port: controller.port, group: config.group }, "controller serves");
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  logger.info("stopping");
  await controller.close();
}

main().catch((error: unknown) => {
  const isKnown = error instanceof ActionNeededError;
  const text = isKnown ? `${error.code}: ${error.message}${error.hint ? ` (${error.hint})` : ""}` : error;
  createLogger("controller", "error").fatal(isKnown ? { code: error.code } : { err: error }, String(text));
  process.exitCode = 1;
});
