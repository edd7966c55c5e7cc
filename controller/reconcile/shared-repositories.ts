import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { DesiredState, View } from "#schemas/desired-state";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import { newestCommit } from "../assets/newest-commit.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { ViewPart } from "./asset-list.ts";
import { pins } from "./pins.ts";
import type { SharedReach } from "./shared-reach.ts";
import type { SharedReaders, SharedWish } from "./shared-readers.ts";
import type { Tracked } from "./tracked.ts";

export interface SharedDeps {
  forge: Pick<Forge, "project" | "gitAccess">;
  mirrors: Mirrors;
  snapshots: { ensure(project: ForgeProject, commit: string): Promise<unknown> };
  tracked: Tracked;
  readers: Pick<SharedReaders, "mayRead">;
  reach: Pick<SharedReach, "problem">;
  desired: { all(): DesiredState[] };
  logger: Logger;
  /** Looks at what is only proposed: these commits count instead of the newest ones, by project, and nothing is remembered. */
  proposed?: ReadonlyMap<string, string>;
}

/** Shared repositories as one user sees them: those that are there, in order, and why others are not. */
export interface OpenShared {
  parts: ViewPart[];
  problems: View["problems"];
}

/** The platform's shared repositories, then those of the user's own list; each once, and never the user's own. */
export function sharedWishes(tracked: Tracked, own: string, listed: readonly string[]): SharedWish[] {
  const wishes = [...tracked.sharedWishes, ...listed.map((project) => ({ project, groups: [] }))];
  const first = new Map<string, SharedWish>();
  for (const wish of wishes) if (!first.has(wish.project)) first.set(wish.project, wish);
  first.delete(own);
  return [...first.values()];
}

/**
 * Opens what this user may read, each at its newest commit that can be checked out, with the snapshot on disk. One that
 * is broken or cannot be reached is seen as it was last, and that is said; it never keeps a user from the others.
 */
export async function openShared(
  deps: SharedDeps,
  user: string,
  wishes: readonly SharedWish[],
  before: Pick<DesiredState, "view"> | undefined,
): Promise<OpenShared> {
  const opened: OpenShared = { parts: [], problems: [] };
  for (const wish of wishes) {
    const { project } = wish;
    const isListed = deps.tracked.listedBy(user).includes(project);
    const last = before?.view?.sources.find((source) => source.project === project);
    try {
      if (!(await deps.readers.mayRead(wish, user))) {
        // What a user may not read is not even named, unless it was the user who named it.
        if (isListed) opened.problems.push({ project, reason: `${user} may not read it` });
        continue;
      }
      const part = await openNewest(deps, project);
      const away = deps.reach.problem(project);
      if (part) opened.parts.push(part);
      if (part && away !== undefined) {
        const reason = `it cannot be reached: ${away} (seen as of ${part.pinned.commit.slice(0, 8)})`;
        opened.problems.push({ project, reason });
      }
      if (part) continue;
      if (isListed) opened.problems.push({ project, reason: "it is empty, or not there" });
    } catch (error) {
      const reason = problemOf(error);
      deps.logger.warn({ project, user, err: reason }, "a shared repository is seen as it was last");
      const old = (await deps.readers.mayRead(wish, user)) && (await reopen(deps, project, last?.commit));
      if (old) opened.parts.push(old);
      const seen = old ? `seen as of ${old.pinned.commit.slice(0, 8)}` : "not seen";
      opened.problems.push({ project, reason: `${reason} (${seen})` });
    }
  }
  return opened;
}

async function openNewest(deps: SharedDeps, path: string): Promise<ViewPart | undefined> {
  const project = deps.tracked.project(path) ?? (await deps.forge.project(path));
  if (!project) return undefined;
  if (!deps.proposed) await deps.tracked.note(project);
  let commit = deps.proposed?.get(path) ?? (await deps.mirrors.head(project));
  commit ??= await deps.mirrors.fetch(project, deps.forge.gitAccess(project));
  return commit === undefined ? undefined : await open(deps, project, commit);
}

async function open(deps: SharedDeps, project: ForgeProject, commit: string): Promise<ViewPart> {
  const reader = await GitReader.open(deps.mirrors, project.id, commit);
  await deps.snapshots.ensure(project, commit);
  return { pinned: { project: project.path, commit }, tree: reader };
}

/** As the user saw it last; for one who never did, the newest commit that somebody else sees. */
async function reopen(
  deps: SharedDeps,
  path: string,
  last: string | undefined,
): Promise<ViewPart | undefined> {
  const project = deps.tracked.project(path);
  if (!project) return undefined;
  const inUse = deps.desired.all().flatMap((document) => pins(document));
  const others = inUse.filter((pin) => pin.project === path).map((pin) => pin.commit);
  const commit = last ?? (await newestCommit(deps.mirrors, project.id, others));
  return commit === undefined ? undefined : await open(deps, project, commit).catch(() => undefined);
}

/** Throws again what is neither the repository's fault nor the host's. */
function problemOf(error: unknown): string {
  if (error instanceof TryLaterError) return messageOf(error);
  if (error instanceof ActionNeededError && error.code !== "DISK_FULL") return messageOf(error);
  throw error;
}
