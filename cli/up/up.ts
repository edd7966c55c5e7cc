import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import { packageRoot } from "#core/package-root";
import { thisMachine } from "#embedded/machine/machine";
import { startRedis } from "#embedded/redis/start-redis";
import { type AwaitedTwins, awaitTwins } from "./await-twins.ts";
import {
  type ChildSettings,
  controllerEnvironment,
  forgeEnvironment,
  forgeUrl,
  httpUrl,
  nodeFlags,
  runnerEnvironment,
} from "./child-environments.ts";
import type { UpConfig } from "./config.ts";
import { lockFolder } from "./folder-lock.ts";
import { ForgeAdmin } from "./forge-admin.ts";
import { engineToKeep } from "./keep-engine.ts";
import { type Keeper, keeper } from "./keeper.ts";
import { endLeftovers } from "./leftovers.ts";
import { checkOnlyPusher, watchOnlyPusher } from "./only-pusher.ts";
import { choosePorts } from "./ports.ts";
import { prepareEngine } from "./prepare-engine.ts";
import { prepareTalk } from "./prepare-talk.ts";
import { endProcessTwins, seededUsers } from "./process-twins.ts";
import { runnerKey } from "./runner-key.ts";
import { loadSecrets } from "./secrets.ts";
import { exampleUsers, type Seeded, seed } from "./seed.ts";
import { ensureSignIn } from "./sign-in.ts";
import { answersOk, startChild } from "./start-child.ts";
import { stopTwins } from "./stop-twins.ts";
import { Stops } from "./stops.ts";
import { ensureSystemHook } from "./system-hook.ts";
import type { Terminal } from "./terminal.ts";
import { whereToLook } from "./where-to-look.ts";
import { withoutRepeats } from "./without-repeats.ts";

const twinsDeadlineMs = 300_000; // the first start builds an image

/**
 * Brings the platform up on this machine and keeps it up until `signal` says to stop; then stops everything it started. Throws
 * `ActionNeededError` when it cannot come up or stay up; what had been started is stopped by then.
 */
export async function up(config: UpConfig, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  const { dataFolder } = config;
  const lock = await lockFolder(dataFolder);
  const stops = new Stops(terminal);
  try {
    for (const name of await endLeftovers(dataFolder)) {
      terminal.say(`A ${name} left behind by a start that was ended by force was stopped.`);
    }
    const seeded = await startAll(config, terminal, stops, signal);
    if (seeded === undefined) return;
    const { awaited, apiUrl, forge, givenUp } = seeded;
    if (!signal.aborted) {
      terminal.say(
        whereToLook({
          apiUrl,
          forgeUrl: forge,
          dataFolder,
          tokens: seeded.tokens,
          repositories: seeded.repositories,
          awaited,
          seconds: (Date.now() - startedAt) / 1000,
        }),
      );
    }
    await Promise.race([aborted(signal), givenUp]);
    terminal.say("\nStopping.");
  } catch (error) {
    terminal.failed(signal.aborted ? "stopped" : "");
    if (!signal.aborted) throw error;
  } finally {
    await stops.run();
    await lock.release();
  }
}

interface AllUp extends Seeded {
  apiUrl: string;
  forge: string;
  awaited: AwaitedTwins;
  /** Rejects when one of the processes keeps dying, or when somebody may push who must not. */
  givenUp: Promise<never>;
}

/** Everything in its order; `undefined` when it was told to stop on the way. */
async function startAll(
  config: UpConfig,
  terminal: Terminal,
  stops: Stops,
  signal: AbortSignal,
): Promise<AllUp | undefined> {
  const { dataFolder } = config;
  const machine = thisMachine(config.environment, join(dataFolder, "engine"));
  const keep = keeper(terminal, stops);
  const asks = !config.yes && Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const talk = {
    ...prepareTalk(terminal, asks),
    say: (text: string) => terminal.say(text),
    failed: (detail: string) => terminal.failed(detail),
  };
  const [firstUser] = exampleUsers;
  const isOneUsers = async () => (await seededUsers(dataFolder)).every((name) => name === firstUser);
  const { engine, prepared } = await prepareEngine(config, machine, talk, isOneUsers);
  const onlyUser = engine === "process" ? firstUser : undefined;
  if (engine === "docker") {
    if (prepared.engine) await keep.process("engine", engineToKeep(prepared.engine), "<data>/engine");
    else stops.add("engine", async () => "as it was found");
  }
  if (signal.aborted) return undefined;

  const secrets = await loadSecrets(dataFolder);
  const { ports, replaced } = await choosePorts(dataFolder, config);
  for (const text of replaced) terminal.say(text);
  const sayOnce = withoutRepeats((text) => terminal.say(text));
  const redisUrl = config.redisUrl ?? (await ownRedis(dataFolder, secrets.redisPassword, terminal, keep));
  const settings: ChildSettings = {
    ...config,
    redisUrl,
    secrets,
    ports,
    ...(onlyUser && { processEngine: { user: onlyUser } }),
  };
  const child = (
    name: string,
    script: string,
    environment: Record<string, string>,
    isReady: () => Promise<boolean>,
  ) =>
    keep.process(name, () =>
      startChild({
        name,
        script: join(packageRoot, "dist", script),
        environment,
        nodeFlags: nodeFlags[name] ?? [],
        dataFolder,
        isReady,
        onTelling: ({ level, text }) => sayOnce(`${level}: ${name}: ${text}`),
      }),
    );

  terminal.stage("forge");
  await child("forge", "embedded/forge/main.js", forgeEnvironment(settings), () =>
    answersOk(`${forgeUrl(ports)}/api/v4/metadata`, { "private-token": secrets.forgeRootToken }),
  );
  terminal.done(forgeUrl(ports));
  if (signal.aborted) return undefined;

  const onStep = terminal.stage("examples");
  const examples = join(packageRoot, "examples");
  const seeded = await seed({
    forgeUrl: forgeUrl(ports),
    examples,
    dataFolder,
    secrets,
    onStep,
    ...(onlyUser && { users: [onlyUser] }),
  });
  const root = new ForgeAdmin(forgeUrl(ports), secrets.forgeRootToken);
  await ensureSystemHook(root, { apiUrl: httpUrl(ports), webhookSecret: secrets.webhookSecret });
  await ensureSignIn(root, { dataFolder, apiUrl: httpUrl(ports), secrets });
  let secondPusher: Promise<never> | undefined;
  if (onlyUser) {
    await checkOnlyPusher(root, onlyUser);
    secondPusher = watchOnlyPusher(root, onlyUser, signal);
    secondPusher.catch(() => undefined); // nobody may be waiting yet
  }
  terminal.done(
    seeded.pushedTwins.length > 0 ? `${seeded.pushedTwins.length} twins pushed` : "found as they were left",
  );
  await writeCommandLineDefaults(dataFolder, httpUrl(ports), forgeUrl(ports), seeded.tokens);
  if (signal.aborted) return undefined;

  const runnerSettings = runnerEnvironment(settings);
  settings.runnerKey = await runnerKey({ environment: runnerSettings });
  if (!onlyUser) await endProcessTwins(settings);
  stops.add("twins", () => stopTwins({ environment: runnerSettings, dataFolder }));
  terminal.stage("controller");
  await child("controller", "controller/main.js", controllerEnvironment(settings), () =>
    answersOk(`${httpUrl(ports)}/readyz`),
  );
  terminal.done(httpUrl(ports));
  terminal.stage("runner");
  await child("runner", "runner/main.js", runnerSettings, () =>
    answersOk(`http://127.0.0.1:${ports.metrics}/readyz`),
  );
  terminal.done("watches the engine");
  if (signal.aborted) return undefined;

  const twinsAt = Date.now();
  const onWaiting = terminal.stage("twins");
  const awaited = await Promise.race([
    awaitTwins({
      apiUrl: httpUrl(ports),
      token: secrets.forgeRootToken,
      expected: seeded.pushedTwins,
      deadlineMs: twinsDeadlineMs,
      signal,
      onWaiting,
      onChange: (twin, from, to, reason) => {
        const change = from === undefined ? to : `${from} -> ${to}`;
        const why = reason === null || reason === "" ? "" : `: ${reason}`;
        const at = ((Date.now() - twinsAt) / 1000).toFixed(1).padStart(6);
        terminal.say(`  ${at} s ${twin.padEnd(28)} ${change}${why}`);
      },
    }),
    keep.givenUp,
  ]);
  const there = awaited.settled.length;
  const all = there + awaited.failed.length + awaited.missing.length;
  if (there === all) terminal.done(`${there} where Git wants them`);
  else terminal.failed(`${there} of ${all} where Git wants them`);
  const givenUp = secondPusher ? Promise.race([keep.givenUp, secondPusher]) : keep.givenUp;
  givenUp.catch(() => undefined);
  return { ...seeded, apiUrl: httpUrl(ports), forge: forgeUrl(ports), awaited, givenUp };
}

async function ownRedis(folder: string, password: string, terminal: Terminal, keep: Keeper): Promise<string> {
  let url: string | undefined;
  terminal.stage("redis");
  await keep.process("redis", async () => {
    const redis = await startRedis({ folder: join(folder, "redis"), password });
    if (url !== undefined && redis.url !== url) {
      await redis.stop();
      throw new Error(`the port of redis is taken by somebody else`);
    }
    url = redis.url;
    return redis;
  });
  terminal.done("own server, loopback, with a password");
  return url ?? "";
}

async function writeCommandLineDefaults(
  folder: string,
  url: string,
  forge: string,
  tokens: Record<string, string>,
): Promise<void> {
  const users = Object.fromEntries(
    Object.entries(tokens).flatMap(([name, token]) => (name === "dtaas-bot" ? [] : [[name, { token }]])),
  );
  await writeJsonAtomic(join(folder, "cli.json"), { url, forgeUrl: forge, users }, 0o600);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
