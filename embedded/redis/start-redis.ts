import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readJson, writeFileAtomic, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import { identifyProcess, isAlive, type ProcessIdentity, toProcessIdentity } from "#core/process-identity";
import { endProcess } from "../processes/end-process.ts";
import { systemPath } from "../processes/find-command.ts";
import { freePort } from "../processes/free-port.ts";
import { pingRedis } from "./ping-redis.ts";
import { type RedisSettings, redisConfig } from "./redis-config.ts";

const startDeadlineMs = 30_000; // a long append-only file is read at start
const stopGraceMs = 10_000; // it writes its data before it ends
const portAttempts = 3; // somebody may take the port between our look and the start

export interface RunningRedis {
  /** With the password: `redis://:<password>@127.0.0.1:<port>`. */
  url: string;
  pid: number;
  /** Resolves with one sentence once the server has ended, for whatever reason. */
  exited: Promise<string>;
  /** Ends it politely; its data stays. */
  stop(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

interface Remembered extends RedisSettings {
  server?: ProcessIdentity;
  owner?: ProcessIdentity;
}

/**
 * Starts a `redis-server` of our own on a private port of 127.0.0.1, with a password, append-only, never evicting.
 * Data, port and password are kept in `folder`: the next start on it finds them again. A server that was left behind by an owner
 * that died is ended first; one whose owner lives is `ActionNeededError("REDIS_FOLDER_IN_USE")`. Nothing else on the machine is touched.
 */
export async function startRedis(options: {
  folder: string;
  password?: string;
  binary?: string;
}): Promise<RunningRedis> {
  const { folder, binary = "redis-server" } = options;
  const memory = join(folder, "server.json");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const before = await remembered(memory);
  await endLeftover(folder, before);
  const password = options.password ?? before.password ?? randomBytes(24).toString("base64url");
  let port = await freePort(before.port);
  for (let attempt = 1; ; attempt += 1) {
    const settings: RedisSettings = { port, password };
    await writeFileAtomic(join(folder, "redis.conf"), redisConfig(folder, settings), 0o600);
    const child = spawn(binary, [join(folder, "redis.conf")], {
      cwd: folder,
      detached: true, // Ctrl-C on the terminal is for whoever started us, who then stops this in its turn
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: systemPath },
    });
    try {
      const running = await untilReady(child, folder, settings);
      const server = identifyProcess(running.pid);
      const owner = identifyProcess(process.pid);
      await writeJsonAtomic(
        memory,
        { ...settings, ...(server && { server }), ...(owner && { owner }) },
        0o600,
      );
      return running;
    } catch (error) {
      child.kill("SIGKILL");
      if (isSystemError(error, "EADDRINUSE") && attempt < portAttempts) port = await freePort();
      else throw error;
    }
  }
}

async function untilReady(
  child: ChildProcess,
  folder: string,
  settings: RedisSettings,
): Promise<RunningRedis> {
  const log = createWriteStream(join(folder, "redis.log"), { flags: "w", mode: 0o600 });
  log.on("error", () => {}); // a full disk must not end the server's owner
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const url = `redis://:${settings.password}@127.0.0.1:${settings.port}`;
  let ended: string | undefined;
  let failure: Error | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => {
      failure = startFailure(error);
      ended = failure.message;
      log.end();
      resolve(ended);
    });
    child.once("close", (code, signal) => {
      ended ??= `redis-server ended with ${signal ?? `exit code ${code}`}`;
      log.end(() => resolve(ended ?? ""));
    });
  });
  const deadline = Date.now() + startDeadlineMs;
  let lastAnswer = "";
  while (ended === undefined && Date.now() < deadline) {
    try {
      const answer = await pingRedis(url, 1_000);
      if (ended === undefined && answer.pid === child.pid) return control(child, url, exited);
      await delay(20); // somebody else's server answers there: ours will say so and end
    } catch (error) {
      lastAnswer = messageOf(error);
      await delay(20);
    }
  }
  if (failure !== undefined) throw failure;
  await (ended === undefined ? undefined : exited);
  const text = await readFile(join(folder, "redis.log"), "utf8").catch(() => "");
  if (/Address already in use/i.test(text)) {
    throw Object.assign(new Error(`port ${settings.port} is taken`), { code: "EADDRINUSE" });
  }
  throw new ActionNeededError("REDIS_NOT_STARTED", `redis-server did not start: ${ended ?? lastAnswer}`, {
    hint: `its own words are in ${join(folder, "redis.log")}`,
  });
}

function control(child: ChildProcess, url: string, exited: Promise<string>): RunningRedis {
  const pid = child.pid;
  if (pid === undefined) throw new Error("a running process has a number");
  const endWithUs = () => child.kill("SIGTERM");
  process.once("exit", endWithUs);
  void exited.then(() => process.off("exit", endWithUs));
  const end = async (name: NodeJS.Signals): Promise<void> => {
    child.kill(name);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
    await exited;
    clearTimeout(timer);
  };
  return { url, pid, exited, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}

function startFailure(error: Error): Error {
  if (!isSystemError(error, "ENOENT")) return error;
  return new ActionNeededError("REDIS_MISSING", "redis-server is not installed", {
    hint: "apt-get install redis-server, or give REDIS_URL",
    cause: error,
  });
}

async function remembered(path: string): Promise<Partial<Remembered>> {
  const value = await readJson(path).catch(() => undefined); // a torn file is as good as none
  if (typeof value !== "object" || value === null) return {};
  const { port, password, server, owner } = value as Record<string, unknown>;
  const found: Partial<Remembered> = {};
  if (typeof port === "number") found.port = port;
  if (typeof password === "string") found.password = password;
  const serverIdentity = toProcessIdentity(server);
  const ownerIdentity = toProcessIdentity(owner);
  if (serverIdentity) found.server = serverIdentity;
  if (ownerIdentity) found.owner = ownerIdentity;
  return found;
}

async function endLeftover(folder: string, before: Partial<Remembered>): Promise<void> {
  if (before.server === undefined || !isAlive(before.server)) return;
  if (before.owner !== undefined && isAlive(before.owner)) {
    throw new ActionNeededError(
      "REDIS_FOLDER_IN_USE",
      `a redis-server uses ${folder} already (process ${before.server.pid})`,
      {
        hint: `stop process ${before.owner.pid}, which started it`,
      },
    );
  }
  await endProcess(before.server, stopGraceMs);
}
