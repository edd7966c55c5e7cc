import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { ActionNeededError, isSystemError } from "#core/errors";
import type { Logger } from "#core/logger";
import { SerialByKey } from "#core/serial-by-key";
import { forgeApp } from "./forge-app.ts";
import type { ForgeContext } from "./forge-context.ts";
import { Git } from "./git/git.ts";
import { Objects } from "./git/objects.ts";
import { Repositories } from "./git/repositories.ts";
import { HookSender } from "./hooks/hook-sender.ts";
import { ArtifactStore } from "./oidc/artifact-store.ts";
import { openCookieKeys } from "./oidc/cookie-keys.ts";
import { idTokenMinter } from "./oidc/mint-id-token.ts";
import { openSigningKeys } from "./oidc/signing-keys.ts";
import { openCi } from "./pipelines/open-ci.ts";
import { repairState } from "./projects/repair-state.ts";
import { ForgeAdmin } from "./seed/forge-admin.ts";
import { StatusStore } from "./statuses/status-store.ts";
import { openStore } from "./store/store.ts";
import { Underway } from "./underway.ts";
import { PasswordSignIn } from "./users/password-sign-in.ts";

const requestTimeoutMs = 35 * 60_000; // longer than the deadline of one git transfer
const idleTimeoutMs = 65_000; // longer than the polling pauses of clients, so that connections are reused
const closeWaitMs = 3_000; // a push under way gets this long when the forge stops

export interface ForgeOptions {
  /** Everything the forge keeps. One process only may use it at a time. */
  dataFolder: string;
  host?: string;
  /** 0 takes any free one. */
  port?: number;
  /** External URL, when people reach the forge through another address. */
  url?: string;
  /** Search path for `git`. */
  path?: string;
  /** Requests to the REST API that each user has a minute; more are answered with 429. Without it there is no limit. */
  requestsPerMinute?: number;
  /** Folders by which jobs of pipelines come to a runner, and what it says of them comes back. Without them there are no pipelines (501). */
  exchange?: { jobs: string; runs: string };
  logger: Logger;
  clock?: () => Date;
}

export interface RunningForge {
  url: string;
  admin: ForgeAdmin;
  /** Ends what is under way and resolves when nothing of the forge runs any more. */
  close(): Promise<void>;
}

/**
 * Starts the forge on its data folder; a first start makes it. Throws `ActionNeededError` where a person must act:
 * `FORGE_PORT_TAKEN`, `FORGE_STATE_UNREADABLE`, `KEY_EXPOSED`, `GIT_MISSING`.
 */
export async function startForge(options: ForgeOptions): Promise<RunningForge> {
  const { logger } = options;
  const dataFolder = resolve(options.dataFolder);
  const store = await openStore(join(dataFolder, "state"));
  const git = await Git.prepare(join(dataFolder, "git"), options.path ?? "/usr/local/bin:/usr/bin:/bin");
  const projectIds = new Set(store.projects.all().map((project) => project.id));
  const clock = options.clock ?? (() => new Date());
  const server = createServer({ requestTimeout: requestTimeoutMs, keepAliveTimeout: idleTimeoutMs });
  const sending = { instanceUrl: () => context.url, clock, logger };
  const signingKeys = await openSigningKeys(join(dataFolder, "oidc", "signing-keys.json"));
  const running = await openCi({ dataFolder, exchange: options.exchange, context: () => context });
  const context: ForgeContext = {
    url: options.url?.replace(/\/+$/, "") ?? "",
    store,
    statuses: await StatusStore.open(join(dataFolder, "statuses")),
    git,
    objects: new Objects(git),
    repositories: await Repositories.open(join(dataFolder, "repositories"), git, projectIds),
    hookSender: new HookSender({ eventsFolder: join(dataFolder, "hook-events"), ...sending }),
    systemHookSender: new HookSender({ eventsFolder: join(dataFolder, "system-hook-events"), ...sending }),
    signingKeys,
    cookieKeys: await openCookieKeys(join(dataFolder, "oidc", "cookie-keys.json")),
    artifacts: await ArtifactStore.open(join(dataFolder, "oidc", "artifacts")),
    passwords: new PasswordSignIn(store),
    mintIdToken: idTokenMinter(signingKeys, () => context.url, clock),
    ci: running.ci,
    transfers: new Underway(),
    mergeRequestQueue: new SerialByKey(),
    requestsPerMinute: options.requestsPerMinute,
    clock,
    logger,
  };
  await repairState(context);
  const address = await listen(server, options.host ?? "127.0.0.1", options.port ?? 0);
  context.url ||= `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  await running.start();
  server.on("request", forgeApp(context));
  return {
    url: context.url,
    admin: new ForgeAdmin(context),
    close: async () => {
      await stopListening(server);
      await context.transfers.settled();
      await running.close();
      await Promise.all([context.hookSender.close(), context.systemHookSender.close()]);
      await context.repositories.close();
      context.artifacts.close();
    },
  };
}

/** Takes no new requests, and ends those that do not end by themselves soon. */
async function stopListening(server: Server): Promise<void> {
  const impatient = setTimeout(() => server.closeAllConnections(), closeWaitMs);
  await new Promise((done) => server.close(done));
  clearTimeout(impatient);
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    await new Promise<void>((done, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        done();
      });
    });
  } catch (error) {
    if (!isSystemError(error, "EADDRINUSE")) throw error;
    throw new ActionNeededError("FORGE_PORT_TAKEN", `port ${port} on ${host} is in use by another program`, {
      hint: "set DTAAS_FORGE_PORT to a free port, or end the other program",
      cause: error,
    });
  }
  return server.address() as AddressInfo;
}
