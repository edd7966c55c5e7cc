import pLimit from "p-limit";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { DesiredState } from "#schemas/desired-state";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject, WantedHook } from "../forge/forge.ts";
import type { Tracked } from "./tracked.ts";

// Questions to the host at the same time.
const parallel = 16;

export interface ResyncDeps {
  forge: Forge;
  mirrors: Mirrors;
  /** What users' twins were read from. A mirror may be ahead of it, when somebody else has fetched. */
  desired: { get(user: string): Pick<DesiredState, "revision"> | undefined };
  tracked: Tracked;
  logger: Logger;
  hookFor(project: ForgeProject): WantedHook;
  /** Paths of projects whose hook this process has looked after; one that is not among them is, at the next look. */
  hooked: Set<string>;
  /** The value of a secret has changed, which no webhook tells. */
  secretsAreBehind(project: ForgeProject): Promise<boolean>;
  /** Ask for a project to be reconciled, soon; `head` is what the host has. */
  nudgeProject(path: string, head?: string): void;
  /** The head of a project that may not be fetched: it is not asked for again until the head is another one. */
  refused?(path: string): string | undefined;
  /** A project could be compared, or not and why. */
  noteReach?(path: string, error?: unknown): Promise<void>;
}

export interface ResyncResult {
  projects: number;
  added: number;
  removed: number;
  behind: number;
  failed: number;
}

/**
 * Compares what the host has with what was read last, and nudges what differs: heals every lost delivery. New projects
 * get their hook. With `hooks`, those of known projects are looked after as well.
 */
export async function resync(
  deps: ResyncDeps,
  options: { hooks: boolean; signal?: AbortSignal },
): Promise<ResyncResult> {
  const { forge, tracked } = deps;
  const listed = await forge.listProjects(tracked.group);
  const shared = await Promise.all(
    tracked.shared
      .filter((path) => !listed.some((project) => project.path === path))
      .map((path) =>
        // One that does not answer keeps nobody from the others.
        forge.project(path).catch(async (error: unknown) => {
          await deps.noteReach?.(path, error);
          return tracked.project(path);
        }),
      ),
  );
  const projects = [...listed, ...shared.filter((project) => project !== undefined)];
  // A list may be cut short by a fault of the host: what is missing counts as gone only when the host says so.
  const missing = tracked.projects.filter((known) => !projects.some(({ path }) => path === known.path));
  const still = await Promise.all(missing.map((known) => forge.project(known.path)));
  const gone = missing.filter((_, index) => still[index] === undefined);
  for (const project of gone) deps.nudgeProject(project.path); // before it is forgotten: its twins are to be stopped
  projects.push(...still.filter((project) => project !== undefined));

  const { added } = await tracked.setProjects([...projects, ...gone]);
  const isNew = new Set(added.map(({ path }) => path));
  const heads = await forge.heads(projects.filter(({ path }) => tracked.role(path).kind !== "untracked"));
  const headOf = async (project: ForgeProject) =>
    heads.has(project.id) ? heads.get(project.id) : await forge.head(project);
  const limit = pLimit(parallel);
  let behind = 0;
  let failed = 0;
  await Promise.all(
    projects.map((project) =>
      limit(async () => {
        if (options.signal?.aborted || tracked.role(project.path).kind === "untracked") return;
        try {
          if (options.hooks || !deps.hooked.has(project.path)) await ensureHook(deps, project);
          const [theirs, ours] = await Promise.all([headOf(project), readHead(deps, project)]);
          if (theirs === ours) await deps.noteReach?.(project.path); // else the fetch that follows tells
          if (theirs !== undefined && theirs === deps.refused?.(project.path)) return;
          const sameHead = theirs === ours && !isNew.has(project.path);
          if (sameHead && !(await deps.secretsAreBehind(project))) return;
          behind += 1;
          deps.nudgeProject(project.path, theirs);
        } catch (error) {
          failed += 1;
          await deps.noteReach?.(project.path, error);
          deps.logger.warn(
            { project: project.path, err: messageOf(error) },
            "could not be compared with the host",
          );
        }
      }),
    ),
  );
  return { projects: projects.length, added: added.length, removed: gone.length, behind, failed };
}

/** A shared repository outside of the group may be readable and no more: it is then only compared, here. */
async function ensureHook(
  { forge, tracked, hookFor, hooked, logger }: ResyncDeps,
  project: ForgeProject,
): Promise<void> {
  try {
    await forge.ensureHook(project, hookFor(project));
    hooked.add(project.path);
  } catch (error) {
    if (tracked.role(project.path).kind !== "shared") throw error;
    hooked.add(project.path); // asked again with all others
    logger.info(
      { project: project.path, err: messageOf(error) },
      "pushes to it are noticed by the resync only",
    );
  }
}

/** The commit that was worked on last. */
async function readHead(
  { tracked, desired, mirrors }: ResyncDeps,
  project: ForgeProject,
): Promise<string | undefined> {
  const role = tracked.role(project.path);
  if (role.kind !== "user") return await mirrors.head(project);
  return desired.get(role.user)?.revision || undefined; // empty for a repository without commits
}
