import { messageOf, TryLaterError } from "#core/errors";
import { OneAtATime } from "#core/one-at-a-time";
import { Nudges, startNudgeWorker } from "#core/queue/nudges";
import { logSetAside } from "#core/read-or-set-aside";
import { connectRedis } from "#core/redis";
import { checkBuildJob, checkUserJob } from "#schemas/documents/check-documents";
import { type BuildJob, type ObservedJob, queues, reportPace } from "#schemas/jobs";
import type { WorkspaceImage } from "#schemas/twin-spec";
import { CiDoor } from "./ci/ci-door.ts";
import { CiJobs } from "./ci/ci-jobs.ts";
import { composeRunner, type RunnerParts } from "./compose-runner.ts";
import { collectViews } from "./mounts/collect-views.ts";
import { type RunnerPreviews, startPreviews } from "./previews/previews.ts";
import { BuildWishes } from "./queue/build-wishes.ts";
import { isNews } from "./queue/is-news.ts";
import { Looks } from "./queue/looks.ts";
import { Wakes } from "./queue/wakes.ts";
import { watchEngine } from "./queue/watch-engine.ts";
import { createRetention, readPlatformSettings } from "./retention/retention.ts";
import { everybody } from "./twins/everybody.ts";
import { News } from "./twins/news.ts";
import { reconcileUser } from "./twins/reconcile-user.ts";
import type { Runner } from "./twins/runner.ts";
import type { BuildSessionImage } from "./workspaces/image-tasks.ts";
import { startWorkspaces } from "./workspaces/workspaces.ts";

// Users served at the same time. A look only starts containers; it never waits for a twin.
const usersAtOnce = 6;
// Builds are heavy, and have a queue of their own so that they never hold up a start.
const buildsAtOnce = 2;
// How often new documents and requests are looked for, should their nudge have been lost with Redis.
const newsCheckMs = 5_000;
// How often what twins write is measured: a twin may pass its limit by what it writes in this time.
const diskCheckMs = 10_000;
// How often the engine is asked about everybody at once, should an event have been lost; who is not as seen is looked at.
const fullCheckMs = 60_000;
// Every so many full checks everybody is looked at, whatever was seen.
const checksPerSureCheck = 10;
// A look that failed, because the engine or the disk did, is made again after this, doubled each time up to the limit.
const failedLookRetryMs = 3_000;
const maxFailedLookRetryMs = 30_000;

export interface StartParts extends RunnerParts {
  redisUrl: string;
  /** Builds one image; throws what went wrong. */
  build(job: BuildJob, signal: AbortSignal): Promise<void>;
  /**
   * Images that nothing refers to may go: called now and then with the hashes in use, and with the age that the platform
   * has set for the others.
   */
  collectImages(keep: ReadonlySet<string>, minAgeMs: number | undefined): Promise<void>;
  /** Builds the image of a template, or finds it. */
  buildImage(workspace: WorkspaceImage, signal: AbortSignal): Promise<{ id: string }>;
  /** Builds the image of somebody's workspace, or finds it. */
  buildSession: BuildSessionImage;
  /** Where workspaces reach Git, through the runner. */
  controllerUrl: string;
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
  const builds = new BuildWishes(connections[0], logger);
  const observed = new Nudges<ObservedJob>(connections[0], logger, {
    queue: queues.observed,
    pace: reportPace,
  });
  const closing = new AbortController();
  const { metrics } = parts;
  const failures = new Map<string, number>();
  const looks = new Looks(usersAtOnce, async (user) => {
    const end = metrics.lookSeconds.startTimer();
    try {
      await reconcileUser(runner, user);
      await retention.ofUser(user);
      failures.delete(user);
      end({ result: "done" });
    } catch (error) {
      end({ result: "failed" });
      if (closing.signal.aborted) return;
      const level = error instanceof TryLaterError ? "warn" : "error";
      logger[level]({ user, err: messageOf(error) }, "a look failed; it is made again soon");
      const before = failures.get(user) ?? 0;
      failures.set(user, before + 1);
      wakes.at(user, Date.now() + Math.min(failedLookRetryMs * 2 ** before, maxFailedLookRetryMs));
    }
  });
  const nudge = (user: string) => void looks.ask(user);
  const wakes = new Wakes(nudge);

  const runner = await composeRunner(parts, {
    nudge,
    wakeAt: (user, atMs) => wakes.at(user, atMs),
    requestBuild: (user, hash, workspace) => builds.request(user, { hash, workspace }),
    tellController: (user) => observed.nudge(user, { user }),
  });

  const retention = createRetention(runner);

  const previews = startPreviews(runner, logSetAside(logger));
  const { buildSession, controllerUrl } = parts;
  const workspaces = await startWorkspaces({ runner, build: buildSession, controllerUrl });
  const ci = engine.ci
    ? await CiJobs.start({
        engine,
        containers: engine.ci,
        door: new CiDoor(controllerUrl, logger),
        logger,
        folders: { jobs: parts.data.ciJobs, runs: parts.data.ciRuns },
        buildImage: parts.buildImage,
        allowedImages: async () => (await readPlatformSettings(runner))?.images ?? [],
      })
    : undefined;
  const build = async (job: BuildJob) => {
    // Asked for again while it was being built, before anybody knew that it would fail.
    if (await runner.images.isHeldBack(job.hash)) {
      for (const user of builds.settled(job.hash)) nudge(user);
      return;
    }
    const end = metrics.buildSeconds.startTimer();
    try {
      await parts.build(job, closing.signal);
      end({ result: "built" });
    } catch (error) {
      end({ result: "failed" });
      // An engine that went away in mid-build says nothing about the recipe.
      if (!closing.signal.aborted && !(error instanceof TryLaterError)) {
        await runner.images.noteFailure(job.hash, messageOf(error));
      }
      throw error;
    } finally {
      for (const user of builds.settled(job.hash)) {
        nudge(user);
        void previews.look(user);
      }
    }
  };
  const workers = [
    startNudgeWorker(
      connections[1],
      logger,
      { queue: queues.user, concurrency: usersAtOnce, check: checkUserJob },
      async ({ user }) =>
        void (await Promise.all([looks.ask(user), workspaces.look(user), previews.look(user)])),
    ),
    startNudgeWorker(
      connections[2],
      logger,
      { queue: queues.build, concurrency: buildsAtOnce, check: checkBuildJob },
      build,
    ),
  ];
  const watching = watchEngine(engine, closing.signal, logger, {
    onEvent: (event) => {
      if (!isNews(runner.starting, event)) return;
      const { user, preview } = event.container.labels;
      if (preview === undefined) nudge(user);
      else void previews.look(user);
    },
    onEverybody: () => {
      runner.starting.clear();
      previews.lookAtAll();
      void everybody(runner).then((all) => all.forEach(nudge));
    },
  });
  // What was under way when the last runner ended is taken up at once, not when its lock has run out.
  (await everybody(runner)).forEach(nudge);
  const news = new News(runner);
  retention.start();
  const diskLooks = new OneAtATime(
    () => lookAtDisks(runner),
    (error) => logger.warn({ err: messageOf(error) }, "what twins take on disk could not be measured"),
  );
  const newsTimer = setInterval(() => {
    countTwins(runner);
    void news
      .users()
      .then((users) => users.forEach(nudge))
      .catch((error: unknown) =>
        logger.warn({ err: messageOf(error) }, "could not look for news; tried again soon"),
      );
  }, newsCheckMs);
  let checks = 0;
  const diskTimer = setInterval(() => {
    void diskLooks.ask();
  }, diskCheckMs);
  const fullTimer = setInterval(() => {
    runner.images.forget();
    runner.layers.refresh();
    checks += 1;
    void sweepSecrets(runner).catch((error: unknown) =>
      logger.warn({ err: messageOf(error) }, "secrets of ended runs could not be removed"),
    );
    void collectImages(runner, previews, parts).catch((error: unknown) =>
      logger.warn({ err: messageOf(error) }, "unused images could not be collected"),
    );
    void collectViews(runner).catch((error: unknown) =>
      logger.warn({ err: messageOf(error) }, "old views could not be collected"),
    );
    void everybody(runner, checks % checksPerSureCheck === 0 ? "all" : "not as seen")
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
      clearInterval(diskTimer);
      clearInterval(fullTimer);
      await retention.close();
      wakes.close();
      runner.health.close();
      await Promise.all([
        ...workers.map((worker) => worker.close()),
        looks.close(),
        workspaces.close(),
        ci?.close(),
        previews.close(),
      ]);
      await runner.logs.close();
      await watching;
      await Promise.all([builds.close(), observed.close()]);
      for (const connection of connections) connection.disconnect();
      await engine.close();
    },
  };
}

/** Measures what twins with a limit have written, and looks again at users for whom that changes something. */
async function lookAtDisks(runner: Runner): Promise<void> {
  for (const user of await runner.desired.users()) {
    const desired = await runner.desired.get(user);
    if (desired && (await runner.disk.look(user, [...desired.twins, ...runner.copies.sources(user)])))
      runner.nudge(user);
  }
}

function countTwins(runner: Runner): void {
  runner.metrics.twins.reset();
  for (const user of runner.published.users()) {
    for (const { phase } of runner.published.get(user)?.twins ?? []) runner.metrics.twins.inc({ phase });
  }
}

/** Values of secrets that a crash has left in memory. */
async function sweepSecrets(runner: Runner): Promise<void> {
  const containers = await runner.engine.containers.list();
  await runner.secrets.sweep(new Set(containers.map(({ labels }) => labels.run)));
}

/** Images that no desired and no last good source, and no preview that may still begin, refers to may go. */
async function collectImages(runner: Runner, previews: RunnerPreviews, parts: StartParts): Promise<void> {
  const keep = new Set<string>();
  for (const { workspace } of await previews.open()) {
    const fact = await runner.images.fact(workspace);
    if (fact.state !== "unknown") keep.add(fact.hash);
  }
  for (const user of await runner.desired.users()) {
    const wanted = (await runner.desired.get(user))?.twins ?? [];
    for (const twin of [...wanted, ...runner.copies.sources(user)]) {
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
