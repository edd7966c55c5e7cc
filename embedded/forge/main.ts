import { ActionNeededError } from "#core/errors";
import { createLogger } from "#core/logger";
import { readForgeConfig } from "./config.ts";
import { startForge } from "./start-forge.ts";
import { tokenScopes } from "./tokens/access-token.ts";

async function main(): Promise<void> {
  const config = readForgeConfig();
  const logger = createLogger("forge", config.logLevel);
  const forge = await startForge({
    dataFolder: config.dataFolder,
    host: config.host,
    port: config.port,
    logger,
    ...(config.url !== undefined && { url: config.url }),
    ...(config.requestsPerMinute !== undefined && { requestsPerMinute: config.requestsPerMinute }),
    ...(config.exchange !== undefined && { exchange: config.exchange }),
    ...(config.path !== undefined && { path: config.path }),
  });
  if (config.rootToken !== undefined) {
    await forge.admin.ensureUser({ username: "root", name: "Administrator", admin: true });
    await forge.admin.ensureToken("root", "root", [...tokenScopes], config.rootToken);
  }
  logger.info({ url: forge.url }, "listening");
  // For whoever started this process, whatever the log level is.
  process.stdout.write(`${JSON.stringify({ name: "forge", msg: "listening", url: forge.url })}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      logger.info({ signal }, "stopping");
      forge.close().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, "the forge did not stop cleanly");
          process.exit(1);
        },
      );
    });
  }
}

main().catch((error: unknown) => {
  if (error instanceof ActionNeededError) {
    console.error(`${error.code}: ${error.message}${error.hint ? `\n  ${error.hint}` : ""}`);
  } else console.error(error);
  process.exit(1);
});
