import { chmod, mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { OneAtATime } from "#core/one-at-a-time";
import { Nudges, startNudgeWorker } from "#core/queue/nudges";
import { logSetAside } from "#core/read-or-set-aside";
import { connectRedis } from "#core/redis";
import { SerialByKey } from "#core/serial-by-key";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { checkObservedJob, checkProjectJob } from "#schemas/documents/check-documents";
import { type ObservedJob, type ProjectJob, queues, reportPace, type UserJob } from "#schemas/jobs";
import { maxDocumentBytes } from "#schemas/limits";
import { GitReader } from "./assets/git-reader.ts";
import { fetchLargeFiles } from "./assets/lfs/large-files.ts";
import { LfsServer } from "./assets/lfs/lfs-server.ts";
import { LfsStore } from "./assets/lfs/lfs-store.ts";
import { Mirrors } from "./assets/mirrors.ts";
import { Snapshots } from "./assets/snapshots.ts";
import { CiTokens } from "./auth/ci-token.ts";
import { Memberships } from "./auth/memberships.ts";
import { type ReadsShared, Rights } from "./auth/rights.ts";
import { SignIn } from "./auth/sign-in.ts";
import type { ControllerConfig } from "./config.ts";
import type { Forge, ForgeProject } from "./forge/forge.ts";
import { createApp } from "./http/create-app.ts";
import { webhookRoute } from "./http/webhook-route.ts";
import { Deliveries } from "./intake/deliveries.ts";
import { projectSecret } from "./intake/project-secret.ts";
import { Library } from "./library/library.ts";
import { controllerMetrics } from "./metrics.ts";
import { PipelineDuties } from "./pipelines/pipeline-duties.ts";
import { ComparisonStore } from "./previews/comparison-store.ts";
import { previewRecords } from "./previews/observed-previews.ts";
import { PreviewBook } from "./previews/preview-book.ts";
import { PreviewComparisons } from "./previews/preview-comparisons.ts";
import type { MergeRequestRef, Previews } from "./previews/previews.ts";
import { WantedDocuments } from "./previews/wanted-documents.ts";
import { runArchive } from "./reading/run-archive.ts";
import { storedDocuments } from "./reading/stored-documents.ts";
import { DesiredDocuments } from "./reconcile/desired-documents.ts";
import { HostLooks } from "./reconcile/host-looks.ts";
import { HostNews } from "./reconcile/host-news.ts";
import { lookAtReaders } from "./reconcile/look-at-readers.ts";
import { neededSnapshots } from "./reconcile/needed-snapshots.ts";
import { pins } from "./reconcile/pins.ts";
import { planView } from "./reconcile/plan-view.ts";
import { ProjectWork } from "./reconcile/project-work.ts";
import type { ReconcileDeps } from "./reconcile/reconcile-project.ts";
import { noteReach } from "./reconcile/reconcile-shared.ts";
import { SharedReach } from "./reconcile/shared-reach.ts";
import { SharedReaders } from "./reconcile/shared-readers.ts";
import { Tracked } from "./reconcile/tracked.ts";
import { credentialReader } from "./remotes/read-credential.ts";
import { Remotes } from "./remotes/remotes.ts";
import type { ReadHeadFile } from "./requests/change-state.ts";
import { RequestBook } from "./requests/request-book.ts";
import { reportStatuses } from "./review/report-statuses.ts";
import { ReviewMemories } from "./review/review-memory.ts";
import { Reviews } from "./review/reviews.ts";
import { startScheduler } from "./schedule/start-scheduler.ts";
import { secretBook } from "./secrets/secret-book.ts";
import { openTwinSecrets } from "./secrets/twin-secrets.ts";
import { stopUnentitled } from "./workspaces/stop-unentitled.ts";
import { WorkspaceBook } from "./workspaces/workspace-book.ts";

// Users and projects worked on at the same time; most of the time they wait for the network or the disk.
const projectsAtOnce = 8;
const reportsAtOnce = 4;
// A host that is down is asked again this often, with growing pauses; the resync finds what is left.
const projectAttempts = 5;
// A project is looked at no more often than this, however often it is pushed to.
const projectPaceMs = 250;
// A snapshot that nobody is pinned to is kept this long: a document that wants it may be on its way.
const snapshotGraceMs = 10 * 60_000;

export interface RunningController {
  /** Where it listens. */
  port: number;
  previews: Previews;
  close(): Promise<void>;
}

export interface ControllerParts {
  config: ControllerConfig;
  data: DataFolder;
  forge: Forge;
  logger: Logger;
  version: string;
  /** Names of the workspace templates that the runner can build. */
  templates: readonly string[];
  /** Something new is to be said of the previews of a merge request; whoever watches beside its comment is told, too. */
  onPreviewChange?(of: MergeRequestRef): void;
}

/** Puts the controller together and starts it; resolves when it listens. `close` ends it without losing anything. */
export async function startController(parts: ControllerParts): Promise<RunningController> {
  const { config, data, forge, logger } = parts;
  const folders = [
    data.root,
    data.git,
    data.journal,
    data.desired,
    data.requests,
    data.reported,
    data.jobRuns,
    data.proposed,
    data.environments,
    data.reviews,
  ];
  for (const folder of [...folders, data.workspaceRequests]) {
    await mkdir(folder, { recursive: true });
  }
  for (const folder of [data.git, data.journal, data.reported, data.reviews]) await chmod(folder, 0o700);
  const metrics = controllerMetrics();
  const redis = {
    nudges: connectRedis(config.redisUrl, logger),
    workers: connectRedis(config.redisUrl, logger),
  };
  const projects = new Nudges<ProjectJob>(redis.nudges, logger, {
    queue: queues.project,
    attempts: projectAttempts,
    pace: { ms: projectPaceMs, first: "now" },
  });
  const users = new Nudges<UserJob>(redis.nudges, logger, { queue: queues.user });
  const observedNudges = new Nudges<ObservedJob>(redis.nudges, logger, {
    queue: queues.observed,
    pace: reportPace,
  });
  const nudgeProject = (project: string) => projects.nudge(project, { project });
  const news = new HostNews();
  const nudgeNews = (project: string, head?: string) => {
    news.note(project, head);
    nudgeProject(project);
  };
  const stopping = new AbortController();

  const mirrors = new Mirrors({ folder: data.git, git: {}, maxPackBytes: config.maxFetchBytes });
  const lfsStore = new LfsStore(join(data.snapshots, ".lfs"));
  const large = fetchLargeFiles({
    store: lfsStore,
    server: new LfsServer(config.lfsOrigins),
    access: ({ id, path }) => forge.gitAccess({ id, path, defaultBranch: undefined, webUrl: "" }),
  });
  const snapshots = await Snapshots.open(data, mirrors, large);
  const onSetAside = logSetAside(logger);
  const tracked = await Tracked.open(config.group, data, onSetAside);
  const desired = await DesiredDocuments.open(data, onSetAside);
  const secrets = await openTwinSecrets(config, data, forge);
  const readers = await SharedReaders.open(data, forge, logger);
  const documents = storedDocuments(data, (path, error) =>
    logger.error({ path, err: messageOf(error) }, "a document cannot be read"),
  );
  const runs = runArchive(data, (path, error) =>
    logger.error({ path, err: messageOf(error) }, "a document cannot be read"),
  );
  const deliveries = await Deliveries.open(
    data.journal,
    (error) =>
      logger.warn(
        { err: messageOf(error) },
        "an outcome could not be journalled; that work is done once more after a restart",
      ),
    (path, lines) => logger.error({ path, lines }, "lines of the journal cannot be understood"),
  );
  const hooked = new Set<string>();
  const hookFor = (project: ForgeProject) => ({
    url: `${config.publicUrl}/webhooks/${forge.hostOf(project.id).kind}?project=${project.id}`,
    ...projectSecret(config.webhookSecret, project.id),
  });

  const reconcileDeps: ReconcileDeps = {
    forge,
    mirrors,
    snapshots,
    tracked,
    readers,
    reach: new SharedReach(),
    desired,
    news,
    secrets,
    serial: new SerialByKey(),
    templates: parts.templates,
    logger,
    nudgeProject,
    nudgeUser: (user) => users.nudge(user, { user }),
  };
  const report = async (user: string, options: { verify?: boolean } = {}) => {
    const project = tracked.projectOf(user);
    const wanted = desired.get(user);
    if (!project || !wanted || isEmpty(wanted.revision)) return;
    const { publicUrl } = config;
    await reportStatuses(
      { data, forge, publicUrl, onSetAside },
      project,
      wanted,
      await documents.observed(user),
      options,
    );
  };
  const compared = new ComparisonStore(data, onSetAside);
  const previews = new PreviewBook({
    ...{ mirrors, snapshots, tracked, desired, logger, compared, templates: parts.templates },
    documents: await WantedDocuments.open(data, onSetAside),
    records: previewRecords(data, (path, error) =>
      logger.error({ path, err: messageOf(error) }, "a document cannot be read"),
    ),
    comparisons: new PreviewComparisons({ data, runs, store: compared }),
    nudgeUser: (user) => users.nudge(user, { user }),
    onChange: (of) => {
      reviews.nudge(of.projectPath, of.iid);
      parts.onPreviewChange?.(of);
    },
  });
  const work = new ProjectWork({
    ...{ reconcile: reconcileDeps, deliveries, metrics, logger },
    onUser: (user) => {
      observedNudges.nudge(user, { user });
      void pipelines.propose(user);
    },
    onMoved: (projectId) => reviews.nudgeAllOf(projectId),
  });
  const ensureSnapshot = async ({ project: path, commit }: PinnedSnapshot) => {
    const project = tracked.project(path) ?? (await forge.project(path));
    if (!project) {
      throw new ActionNeededError("RUN_NOT_REPEATABLE", `the project ${path} is not there any more`);
    }
    await snapshots.ensure(project, commit);
  };
  const requests = new RequestBook({
    data,
    documents,
    runs,
    nudgeUser: async (user) => users.nudge(user, { user }),
    ensureSnapshot,
    previewUse: (user) => previews.use(user),
    isWorkspaceReady: async (user) => await workspaces.isReady(user),
    onSetAside,
    onNudgeFailed: (user, error) => {
      logger.warn({ user, err: messageOf(error) }, "the runner could not be told; it will look by itself");
    },
  });
  const pipelines = new PipelineDuties({
    ...{ data, forge, mirrors, runs, tracked, desired, logger, onSetAside },
    forgeToken: config.forge.token,
    group: config.group,
    publicUrl: config.publicUrl,
    cancel: (run, by) => requests.cancel(run, by),
    observed: (user) => documents.observed(user),
  });
  const readsShared: ReadsShared = async (user, path) => {
    const wish = tracked.allWishes.find(({ project }) => project === path);
    return wish !== undefined && (await readers.mayRead(wish, user));
  };
  const reviews = new Reviews({
    ...{
      forge,
      mirrors,
      snapshots,
      tracked,
      readers,
      reach: reconcileDeps.reach,
      desired,
      requests,
      runs,
      deliveries,
      redis,
      logger,
    },
    templates: parts.templates,
    observed: (user) => documents.observed(user),
    rights: new Rights(new Memberships(forge, logger), config.group, readsShared),
    previews,
    memories: new ReviewMemories(data.reviews, onSetAside),
    nowMs: () => Date.now(),
  });
  const readerLooks = new OneAtATime(
    () => lookAtReaders(reconcileDeps),
    (error) => logger.warn({ err: messageOf(error) }, "readers could not be looked at; asked again soon"),
  );
  const workers = [
    startNudgeWorker(
      redis.workers,
      logger,
      {
        queue: queues.project,
        concurrency: projectsAtOnce,
        check: checkProjectJob,
        givenUp: ({ project }, reason) => work.givenUp(project, reason),
      },
      ({ project }) => work.reconcile(project),
    ),
    startNudgeWorker(
      redis.workers,
      logger,
      { queue: queues.observed, concurrency: reportsAtOnce, check: checkObservedJob },
      async ({ user }) => {
        await reviews.nudgeFollowers(user);
        await Promise.all([report(user), previews.look(user)]);
        await pipelines.tellEnvironments(user);
      },
    ),
  ];

  const readHeadFile: ReadHeadFile = async (project, file) => {
    const commit = await mirrors.fetch(project, forge.gitAccess(project));
    if (commit === undefined) return undefined;
    const reader = await GitReader.open(mirrors, project.id, commit);
    const bytes = await reader.read(file, maxDocumentBytes);
    return bytes && { text: Buffer.from(bytes).toString("utf8"), commit };
  };
  const workspaces = new WorkspaceBook({
    data,
    group: config.group,
    forge,
    forgeUrl: config.forgeUrl,
    readHeadFile,
    platform: () => tracked.platform,
    templates: parts.templates,
    nudgeUser: (user) => users.nudge(user, { user }),
    onUnreadable: (path, error) => logger.error({ path, err: messageOf(error) }, "a document cannot be read"),
  });

  const secretsAreBehind = (project: ForgeProject) =>
    secrets.isBehind(
      project,
      desired.all().find((document) => document.project.path === project.path),
    );
  const looks = new HostLooks({
    resync: {
      ...{ forge, mirrors, tracked, desired, logger, hookFor, hooked, secretsAreBehind },
      nudgeProject: nudgeNews,
      refused: (path) => work.refusedHead(path),
      noteReach: (path, error) => noteReach(reconcileDeps, path, error),
    },
    ...{ everyMs: config.resyncSeconds * 1000, signal: stopping.signal, logger },
    before: () => readerLooks.ask(),
    async after({ isFirst, hooks }) {
      // The first look of a process also closes what a crash left open on the host.
      if (isFirst)
        for (const { user } of tracked.users())
          await quietly(logger, user, () => report(user, { verify: true }));
      await pipelines.lookAtAll();
      // A question for each merge request: not every time.
      await previews.tidy(hooks ? (of) => reviews.isOpen(of) : undefined);
      await collectSnapshots();
      await stopUnentitled(workspaces, forge, logger);
      const toReview = await reviews.resync();
      if (toReview > 0) logger.info({ mergeRequests: toReview }, "merge requests to be looked at");
    },
  });
  const collectSnapshots = async () => {
    const { keep, spare } = await neededSnapshots({ data, desired, documents, runs });
    const gone = await snapshots.sweep([...keep, ...(await previews.needs())], snapshotGraceMs, spare);
    if (gone.length > 0) logger.info({ snapshots: gone.length }, "unused snapshots removed");
    await lfsStore.sweep(snapshotGraceMs);
  };
  const remotes = await Remotes.open({
    folder: data.remotes,
    forge,
    mirrors,
    tracked,
    logger,
    readCredential: credentialReader(forge),
    onMoved: nudgeNews,
  });
  const signIn =
    config.signIn &&
    (await SignIn.open({
      config: config.signIn,
      publicUrl: config.publicUrl,
      forgeUrl: config.forgeUrl,
      forge,
      folder: data.signIns,
      logger,
    }));
  const app = createApp({
    signIn,
    version: parts.version,
    group: config.group,
    publicUrl: config.publicUrl,
    data,
    forge,
    logger,
    metrics,
    readHeadFile,
    workspaces,
    jobRuns: pipelines.jobRuns,
    pipelineWatch: pipelines.watch,
    ciTokens: new CiTokens({ issuer: config.forgeUrl, audiences: config.ciAudiences }),
    requests,
    rollback: { forge, mirrors, nudgeProject: nudgeNews },
    readsShared,
    deliveries,
    previews,
    remotes,
    library: new Library({ forge, mirrors, tracked, onMoved: nudgeNews }),
    secrets: secretBook({ forge, secrets, logger, nudgeProject, publicKey: config.runnerKey }),
    plan: async (user) => planView(user, desired.get(user), await documents.observed(user), Date.now()),
    queueLengths: async () => {
      const lengths = [projects.queue, users.queue, observedNudges.queue, reviews.queue].map(
        async (queue) => {
          const counts = await queue.getJobCounts("waiting", "active", "delayed", "failed", "prioritized");
          const { waiting = 0, active = 0, delayed = 0, failed = 0, prioritized = 0 } = counts;
          return [queue.name, { waiting: waiting + prioritized, active, delayed, failed }] as const;
        },
      );
      return Object.fromEntries(await Promise.all(lengths));
    },
    lastResync: () => looks.last,
    pingRedis: async () => void (await redis.nudges.ping()),
    webhooks: webhookRoute({
      hostOf: (projectId) => forge.hostOf(projectId),
      secretOf: (projectId) => projectSecret(config.webhookSecret, projectId),
      deliveries,
      nudgeProject: nudgeNews,
      nudgeReview: (project, iid) => reviews.nudge(project, iid),
      lookAtReaders: () => readerLooks.ask(),
      lookAtPipeline: (at) => pipelines.changed(at),
    }),
    stopping: stopping.signal,
  });
  const server = createServer(app);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.httpPort, config.httpHost, () => resolve());
  });
  for (const path of deliveries.waitingProjects()) nudgeNews(path);
  for (const { project, iid } of deliveries.waitingReviews()) reviews.nudge(project, iid);
  for (const document of desired.all()) {
    // A power cut took a snapshot that a twin needs.
    const there = await Promise.all(pins(document).map((pinned) => snapshots.has(pinned)));
    if (there.includes(false)) nudgeProject(document.project.path);
  }
  const nudgeUser = (user: string) => users.nudge(user, { user });
  const scheduler = startScheduler({ data, desired, documents, logger, nudgeUser });
  for (const user of desired.unreadable) nudgeProject(`${config.group}/${user}`);
  looks.start();
  remotes.start();
  const address = server.address();

  return {
    previews,
    port: typeof address === "object" && address !== null ? address.port : config.httpPort,
    async close() {
      stopping.abort();
      looks.close();
      scheduler.close();
      signIn?.close();
      await remotes.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      await Promise.all([...workers.map((worker) => worker.close()), reviews.close()]);
      await Promise.all([projects.close(), users.close(), observedNudges.close()]);
      await Promise.all([deliveries.close(), snapshots.close()]);
      redis.nudges.disconnect();
      redis.workers.disconnect();
    },
  };
}

function isEmpty(revision: string): boolean {
  return /^0+$/.test(revision);
}

async function quietly(logger: Logger, user: string, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    logger.warn(
      { user, err: messageOf(error) },
      "statuses could not be reported; the next change repeats it",
    );
  }
}
