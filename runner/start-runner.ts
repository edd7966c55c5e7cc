import { messageOf } from "#core/errors";
import { Nudges, startNudgeWorker } from "#core/queue/nudges";
import { connectRedis } from "#core/redis";
import { SerialByKey } from "#core/serial-by-key";
import { checkBuildJob, checkUserJob } from "#schemas/documents/check-documents";
import { type BuildJob, type ObservedJob, queues, reportPace, type UserJob } from "#schemas/jobs";
import { composeRunner, type RunnerParts } from "./compose-runner.ts";
import { BuildWishes } from "./queue/build-wishes.ts";
import { Wakes } from "./queue/wakes.ts";
import { watchEngine } from "./queue/watch-engine.ts";
import { readPlatformSettings, startRetention } from "./retention/start-retention.ts";
import { reconcileUser } from "./twins/reconcile-user.ts";
import type { Runner } from "./twins/runner.ts";

// Users served at the same time. A look only starts containers; it never waits for a twin.
const usersAtOnce = 6;
// Builds are heavy, and have a queue of their own so that they never hold up a start.
const buildsAtOnce = 2;
// How often new documents and requests are looked for, should their nudge have been lost with Redis.
const newsCheckMs = 5_000;
// How often everybody is looked at, should an event have been lost with the engine.
const fullCheckMs = 60_000;

export interface StartParts extends RunnerParts {
  redisUrl: string;
  /** Builds one image; throws what went wrong. */
  build(job: BuildJob, signal: AbortSignal): Promise<void>;
  /**
   * Images that nothing refers to may go: called now and then with the hashes in use, and with the age that the platform
   * has set for the others.
   */
  collectImages(keep: ReadonlySet<string>, minAgeMs: number | undefined): Promise<void>;
}

export interface RunningRunner {
  /** Resolves when Redis answers. */
  pingRedis(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Puts the runner together and starts it. Resolves when it serves; `close` ends it and leaves all twins as they are. */
export async function startRunner(parts: StartParts): Promise<RunningRunner> {
  const { engine, logger } = parts;
  const connections = [
    connectRedis(parts.redisUrl, logger),
    connectRedis(parts.redisUrl, logger),
    connectRedis(parts.redisUrl, logger),
  ] as const;
  const users = new Nudges<UserJob>(connections[0], logger, { queue: queues.user });
  const builds = new BuildWishes(connections[0], logger);
  const observed = new Nudges<ObservedJob>(connections[0], logger, {
    queue: queues.observed,
    pace: reportPace,
  });
  const closing = new AbortController();
  const nudge = (user: string) => users.nudge(user, { user });
  const wakes = new Wakes(nudge);

  const runner = await composeRunner(parts, {
    nudge,
    wakeAt: (user, atMs) => wakes.at(user, atMs),
    requestBuild: (user, hash, workspace) => builds.request(user, { hash, workspace }),
    tellController: (user) => observed.nudge(user, { user }),
  });

  const serial = new SerialByKey();
  const { metrics } = parts;
  const reconcile = (user: string) =>
    serial.run(user, async () => {
      const end = metrics.lookSeconds.startTimer();
      await reconcileUser(runner, user).then(
        () => end({ result: "done" }),
        (error: unknown) => {
          end({ result: "failed" });
          throw error;
        },
      );
    });
  const build = async (job: BuildJob) => {
    const end = metrics.buildSeconds.startTimer();
    try {
      await parts.build(job, closing.signal);
      end({ result: "built" });
    } catch (error) {
      end({ result: "failed" });
      if (!closing.signal.aborted) await runner.images.noteFailure(job.hash, messageOf(error));
      throw error;
    } finally {
      for (const user of builds.settled(job.hash)) nudge(user);
    }
  };
  const workers = [
    startNudgeWorker(
      connections[1],
      logger,
      { queue: queues.user, concurrency: usersAtOnce, check: checkUserJob },
      ({ user }) => reconcile(user),
    ),
    startNudgeWorker(
      connections[2],
      logger,
      { queue: queues.build, concurrency: buildsAtOnce, check: checkBuildJob },
      build,
    ),
  ];
  const watching = watchEngine(engine, closing.signal, logger, {
    onUser: nudge,
    onEverybody: () => void everybody(runner).then((all) => all.forEach(nudge)),
  });
  // What was under way when the last runner ended is taken up at once, not when its lock has run out.
  for (const user of await everybody(runner)) {
    reconcile(user).catch((error: unknown) =>
      logger.error({ user, err: messageOf(error) }, "first look failed"),
    );
  }
  const retention = startRetention(runner, (user, task) => serial.run(user, task));
  const newsTimer = setInterval(() => {
    countTwins(runner);
    void checkNews(runner).catch((error: unknown) =>
      logger.warn({ err: messageOf(error) }, "could not look for news; tried again soon"),
    );
  }, newsCheckMs);
  const fullTimer = setInterval(() => {
    runner.images.forget();
    void collectImages(runner, parts).catch((error: unknown) =>
      logger.warn({ err: messageOf(error) }, "unused images could not be collected"),
    );
    void everybody(runner)
      .then((all) => all.forEach(nudge))
      .catch(() => undefined);
  }, fullCheckMs);

  return {
    async pingRedis(signal) {
      const late = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("Redis does not answer")), { once: true });
      });
      await Promise.race([connections[0].ping(), late]);
    },
    async close() {
      closing.abort();
      clearInterval(newsTimer);
      clearInterval(fullTimer);
      await retention.close();
      wakes.close();
      runner.health.close();
      await Promise.all(workers.map((worker) => worker.close()));
      await runner.logs.close();
      await watching;
      await Promise.all([users.close(), builds.close(), observed.close()]);
      for (const connection of connections) connection.disconnect();
      await engine.close();
    },
  };
}

/** Everybody with a document, with containers, or with something remembered. */
async function everybody(runner: Runner): Promise<string[]> {
  const users = new Set([...(await runner.desired.users()), ...runner.published.users()]);
  try {
    for (const container of await runner.engine.containers.list()) users.add(container.labels.user);
  } catch (error) {
    runner.logger.warn({ err: messageOf(error) }, "the engine does not answer");
  }
  return [...users];
}

function countTwins(runner: Runner): void {
  runner.metrics.twins.reset();
  for (const user of runner.published.users()) {
    for (const { phase } of runner.published.get(user)?.twins ?? []) runner.metrics.twins.inc({ phase });
  }
}

async function checkNews(runner: Runner): Promise<void> {
  const known = new Set(await runner.desired.users());
  for (const user of new Set([...known, ...runner.published.users()])) {
    await lookForNews(runner, user).catch((error: unknown) =>
      // Of this user alone: everybody else is looked at all the same.
      runner.logger.warn({ user, err: messageOf(error) }, "could not look for news; tried again soon"),
    );
  }
}

async function lookForNews(runner: Runner, user: string): Promise<void> {
  const desired = await runner.desired.get(user);
  const { requests, cancels } = await runner.runs.requests(user);
  const applied = runner.published.get(user);
  const isBehind = desired ? applied?.generation !== desired.generation : (applied?.twins.length ?? 0) > 0;
  if (isBehind || requests.length > 0 || cancels.size > 0) runner.nudge(user);
}

/** Images that no desired and no last good source refers to may go. */
async function collectImages(runner: Runner, parts: StartParts): Promise<void> {
  const keep = new Set<string>();
  for (const user of await runner.desired.users()) {
    for (const twin of (await runner.desired.get(user))?.twins ?? []) {
      const fact = await runner.images.fact(twin.spec.workspace);
      if (fact.state !== "unknown") keep.add(fact.hash);
    }
    for (const name of await runner.memory.twins(user)) {
      const { lastGood } = await runner.memory.get(user, name);
      const fact = lastGood && (await runner.images.fact(lastGood.source.spec.workspace));
      if (fact && fact.state !== "unknown") keep.add(fact.hash);
    }
  }
  const settings = await readPlatformSettings(runner);
  await parts.collectImages(keep, settings?.retention?.imagesMs);
}
