import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { WorkspaceStep } from "#planning/plan-workspace";
import { rememberDiskStart, rememberSessionEnd, type WorkspaceMemory } from "#planning/workspace-memory";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import { liveCommon } from "../mounts/view-mounts.ts";
import { gitHostName, gitRelayPort } from "./git-relay.ts";
import { sessionOf } from "./observe-workspace.ts";
import { sharedMounts } from "./shared-mounts.ts";
import type { WorkspaceParts } from "./workspace-parts.ts";

const graceMs = 10_000; // for editors and kernels to write what they hold
const fullGraceMs = 2_000; // of one that has written too much already

/**
 * Does one step; what it changes in the memory is returned, and `again` where the world has changed at once. Every step may be
 * applied twice.
 */
export async function applyWorkspaceStep(
  parts: WorkspaceParts,
  request: WorkspaceRequest,
  memory: WorkspaceMemory,
  step: WorkspaceStep,
): Promise<{ memory: WorkspaceMemory; again: boolean }> {
  const { runner, images, workTrees } = parts;
  const { user, session } = request;
  const nudge = () => parts.nudge(user);
  const same = { memory, again: false };
  switch (step.kind) {
    case "get-image":
      images.start(request, nudge);
      return { ...same, again: true };
    case "drop-image-task":
      images.drop(user);
      return { ...same, again: true };
    case "create-container":
      return await created(parts, request, memory, step.imageId);
    case "start-container":
      try {
        await runner.engine.containers.start(step.containerId);
      } catch (error) {
        if (!(error instanceof TryLaterError)) throw error;
        // A network of it may have gone between: it is made with the one that is there then.
        await runner.engine.containers.remove(step.containerId);
        throw error;
      }
      runner.logs.follow(logKey(user, session), step.containerId, parts.files.logFolder(user, session));
      workTrees.prepare(step.containerId, nudge);
      return { ...same, again: true };
    case "prepare-work-tree":
      workTrees.prepare(step.containerId, nudge);
      return same;
    case "stop-container":
      stop(parts, user, step.containerId, memory.ended?.kind === "disk" ? fullGraceMs : graceMs);
      return same;
    case "remove-container":
      await runner.logs
        .complete(logKey(user, session), step.containerId, parts.files.logFolder(user, session))
        .catch(() => undefined); // the log is not worth a workspace
      await runner.engine.containers.remove(step.containerId);
      forget(parts, step.containerId);
      return { memory: step.crashed ? { ...memory, crashes: memory.crashes + 1 } : memory, again: true };
    case "end-session":
      runner.logger.info({ user, ...step.ended }, "workspace ends");
      return { memory: rememberSessionEnd(memory, step.ended), again: true };
  }
}

/** The engine that will not do it, however often it is asked, ends the session and says why. */
async function created(
  parts: WorkspaceParts,
  request: WorkspaceRequest,
  memory: WorkspaceMemory,
  imageId: string,
): Promise<{ memory: WorkspaceMemory; again: boolean }> {
  try {
    const { reads } = await create(parts, request, imageId);
    const usedBytes = parts.disk.used(request.user);
    const limitBytes = request.resources.diskBytes;
    const isKnown = usedBytes !== undefined && limitBytes !== undefined;
    const begun = isKnown ? rememberDiskStart(memory, { usedBytes, limitBytes }) : memory;
    return { memory: { ...begun, reads }, again: true };
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    return { memory: rememberSessionEnd(memory, { kind: "failed", reason: messageOf(error) }), again: true };
  }
}

/** Resolves to the shared projects that it sees. */
async function create(
  parts: WorkspaceParts,
  request: WorkspaceRequest,
  imageId: string,
): Promise<{ reads: string[] }> {
  const { runner, containers, files } = parts;
  const { user, session, owner, repository } = request;
  const { tree, home, run } = await files.prepare(request);
  const gateway = await containers.gateway(user);
  const { mounts, reads } = await sharedMounts(runner, request, await runner.desired.get(user));
  const tools = await sessionOf(request);
  await containers.create({
    user,
    session,
    imageId,
    ...(tools ? { command: ["/run/dtaas/session", tools.command] } : {}),
    environment: {
      LANG: "C.UTF-8",
      SHELL: "/bin/bash",
      DTAAS_USER: user,
      MAIN_USER: user, // what the published workspace image calls it; scripts of its users read it
      DTAAS_REPOSITORY: `http://${gitHostName}:${gitRelayPort}/git/${repository.project}.git`,
      DTAAS_BRANCH: repository.branch,
      DTAAS_NAME: owner.name,
      DTAAS_EMAIL: owner.email,
      DTAAS_COMMON: liveCommon,
    },
    resources: request.resources,
    network: await runner.engine.networks.ensure(user),
    treeFolder: tree,
    homeFolder: home,
    mounts: [...mounts, { source: run, target: "/run/dtaas" }],
    hostNames: { [gitHostName]: gateway },
  });
  return { reads };
}

/** Not awaited: the grace period may be long, and the next look sees that it has ended. */
function stop(parts: WorkspaceParts, user: string, containerId: string, withinMs: number): void {
  parts.stopping.add(containerId);
  void parts.runner.engine.containers
    .stop(containerId, withinMs)
    .catch((error: unknown) =>
      parts.runner.logger.warn(
        { user, err: messageOf(error) },
        "a workspace could not be stopped; tried again",
      ),
    )
    .finally(() => {
      parts.stopping.delete(containerId);
      parts.nudge(user);
    });
}

function forget(parts: WorkspaceParts, containerId: string): void {
  parts.serving.delete(containerId);
  parts.stopping.delete(containerId);
  parts.workTrees.forget(containerId);
  parts.activity.forget(containerId);
}

export function logKey(user: string, session: number): string {
  return `workspace ${user} ${session}`;
}
