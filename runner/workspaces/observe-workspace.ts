import { ActionNeededError } from "#core/errors";
import type { WorkspaceFacts } from "#planning/plan-workspace";
import { rememberActive, rememberDisk, type WorkspaceMemory } from "#planning/workspace-memory";
import type { WorkspaceRequest, WorkspaceService, WorkTree } from "#schemas/workspace-state";
import { findWorkspaceTemplate } from "#templates/workspace-templates";
import type { WorkspaceContainer } from "../engine/workspace-containers.ts";
import { lostProjects } from "./shared-mounts.ts";
import type { WorkspaceParts } from "./workspace-parts.ts";

const probeTimeoutMs = 1_000;

/** What is seen of one workspace, for the planner and for people. */
export interface SeenWorkspace {
  facts: WorkspaceFacts;
  container: WorkspaceContainer | undefined;
  tree: WorkTree | undefined;
  /** On the loopback address. */
  port: number | undefined;
  services: WorkspaceService[];
}

/** Looks at everything of one workspace, and keeps open what leads to its tools and from it to Git while it runs. */
export async function observeWorkspace(
  parts: WorkspaceParts,
  request: WorkspaceRequest,
  before: WorkspaceMemory,
): Promise<SeenWorkspace> {
  const { user } = request;
  let memory = before;
  const containers = await parts.containers.list(user);
  const container = containers.find(({ session }) => session === request.session);
  const wanted = request.state === "running" && !memory.ended;
  const image =
    container && wanted
      ? { state: "present" as const, id: container.imageId }
      : await parts.images.fact(request);
  const session = await sessionOf(request);
  let isServing = false;
  let gitProblem: string | undefined;
  let port: number | undefined;
  if (wanted && container?.state === "running" && container.address !== undefined) {
    const { address, id } = container;
    gitProblem = await openGit(parts, user, address);
    if (session) {
      const toolKey = await parts.files.toolKey(user, request.session);
      const target = { address, port: session.port, toolKey, accessToken: request.accessToken };
      port = await parts.proxies.open(user, target, (await parts.files.observed(user))?.port);
      if (!parts.serving.has(id) && (await answers(target))) parts.serving.add(id);
    } else parts.serving.add(id);
    isServing = parts.serving.has(id);
    if (request.idleStopAfterMs !== undefined && isServing) {
      const worked = await parts.activity.hasWorked(id, request.idleStopAfterMs);
      if (worked) memory = rememberActive(memory, Date.now());
    }
  } else {
    await parts.proxies.close(user);
    await parts.relay.close(user);
  }
  const { workTree, problem, tree } = container
    ? parts.workTrees.fact(container.id)
    : { workTree: "unknown" as const, problem: undefined, tree: undefined };
  const told = gitProblem ?? problem;
  const limitBytes = request.resources.diskBytes;
  const isAboutToStart = wanted && containers.length === 0 && image.state === "present";
  // Known before it is started; while it runs it is measured beside the looks.
  const usedBytes =
    limitBytes === undefined
      ? undefined
      : isAboutToStart
        ? await parts.disk.measured(user)
        : parts.disk.used(user);
  const disk = limitBytes === undefined || usedBytes === undefined ? undefined : { usedBytes, limitBytes };
  if (disk && wanted) memory = rememberDisk(memory, disk);
  return {
    facts: {
      request,
      containers: containers.map(({ id, session: number, state, exitCode }) => ({
        id,
        session: number,
        state,
        ...(exitCode === undefined ? {} : { exitCode }),
      })),
      image,
      memory,
      isServing,
      workTree,
      ...(told === undefined ? {} : { workTreeProblem: told }),
      lost: lostProjects(memory.reads, await parts.runner.desired.get(user)),
      ...(disk ? { disk } : {}),
      stopping: parts.stopping,
      nowMs: Date.now(),
    },
    container,
    tree,
    port,
    services: session?.services ?? [],
  };
}

/** Opens the way to Git; what is wrong with it is no reason to be without the rest. */
async function openGit(parts: WorkspaceParts, user: string, address: string): Promise<string | undefined> {
  try {
    await parts.relay.open(user, await parts.containers.gateway(user), address);
    return undefined;
  } catch (error) {
    if (error instanceof ActionNeededError) return `${error.message}${error.hint ? `; ${error.hint}` : ""}`;
    throw error;
  }
}

/** The tools of a template; a ready image brings its own, of which nothing is known. */
export async function sessionOf({ template }: WorkspaceRequest) {
  return template && (await findWorkspaceTemplate(template.template)).session;
}

async function answers(target: { address: string; port: number; toolKey: string }): Promise<boolean> {
  try {
    const response = await fetch(`http://${target.address}:${target.port}/`, {
      headers: { authorization: `token ${target.toolKey}` },
      redirect: "manual",
      signal: AbortSignal.timeout(probeTimeoutMs),
    });
    await response.body?.cancel();
    return response.status < 400;
  } catch {
    return false; // it does not listen yet
  }
}
