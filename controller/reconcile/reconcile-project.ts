import type { Logger } from "#core/logger";
import type { SerialByKey } from "#core/serial-by-key";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { TwinSecrets } from "../secrets/twin-secrets.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import type { HostNews, News } from "./host-news.ts";
import { knowPlatform, reconcilePlatform } from "./reconcile-platform.ts";
import { noteReach, reconcileShared } from "./reconcile-shared.ts";
import { reconcileUser, removeUser } from "./reconcile-user.ts";
import type { SharedReach } from "./shared-reach.ts";
import type { SharedReaders } from "./shared-readers.ts";
import type { Tracked } from "./tracked.ts";

export interface ReconcileDeps {
  forge: Forge;
  mirrors: Mirrors;
  snapshots: { ensure(project: ForgeProject, commit: string): Promise<unknown> };
  tracked: Tracked;
  readers: SharedReaders;
  reach: SharedReach;
  desired: DesiredDocuments;
  news: HostNews;
  secrets: Pick<TwinSecrets, "read" | "check" | "seal" | "forget">;
  /** Work for one user, one after another: a shared repository's push and the user's own may come together. */
  serial: SerialByKey;
  /** Names of the workspace templates that the runner can build. */
  templates: readonly string[];
  logger: Logger;
  /** Ask for a project to be reconciled, soon. */
  nudgeProject(path: string): void;
  /** Tell the runner that a user's document is new. */
  nudgeUser(user: string): void;
}

export interface Reconciled {
  /** Head commit that was read; absent for an empty or deleted project. */
  revision?: string;
  /** Of the user's document after this; absent for projects that are no user's. */
  generation?: number;
  outcome: "applied" | "unchanged" | "refused" | "ignored";
  /** One sentence for people. */
  summary: string;
}

/**
 * Brings everything that follows from one project's head up to date. Reads the truth from Git; may be called at any
 * time and any number of times. Throws `TryLaterError` when the host or the disk cannot serve now.
 */
export async function reconcileProject(deps: ReconcileDeps, path: string): Promise<Reconciled> {
  const news = deps.news.of(path);
  const result = await reconcileByRole(deps, path, news);
  deps.news.read(path, news);
  return result;
}

async function reconcileByRole(
  deps: ReconcileDeps,
  path: string,
  news: News | undefined,
): Promise<Reconciled> {
  const known = deps.tracked.project(path);
  const project = known?.defaultBranch ? known : await deps.forge.project(path);
  if (!project) {
    const gone = deps.tracked.role(path);
    if (gone.kind === "user" && known) return await removeUser(deps, gone.user, known);
    return { outcome: "ignored", summary: "there is no such project" };
  }
  await deps.tracked.note(project);
  const role = deps.tracked.role(path);
  if (role.kind === "untracked") return { outcome: "ignored", summary: "not a project of this platform" };
  if (role.kind === "user") await knowPlatform(deps);
  const revision = await headOf(deps, project, news);
  switch (role.kind) {
    case "platform":
      return await reconcilePlatform(deps, project, revision);
    case "shared":
      return await reconcileShared(deps, project, revision);
    case "user": {
      const done = await deps.serial.run(role.user, () => reconcileUser(deps, role.user, project, revision));
      if (deps.tracked.listersOf(path).length > 0) await reconcileShared(deps, project, revision);
      return done;
    }
  }
}

/** The head to work on. The host is asked only when there may be something new on it. */
async function headOf(
  deps: ReconcileDeps,
  project: ForgeProject,
  news: News | undefined,
): Promise<string | undefined> {
  const { mirrors, forge } = deps;
  const known = news ? undefined : await mirrors.head(project);
  if (known !== undefined) return known;
  const wanted = news?.head === undefined ? {} : { wanted: news.head };
  try {
    const head = await mirrors.fetch(project, forge.gitAccess(project), wanted);
    await noteReach(deps, project.path);
    return head;
  } catch (error) {
    await noteReach(deps, project.path, error);
    throw error;
  }
}
