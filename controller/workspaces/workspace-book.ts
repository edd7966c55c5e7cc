import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import { checkObservedWorkspace, checkWorkspaceRequest } from "#schemas/documents/check-documents";
import type { PlatformDocument } from "#schemas/twin-spec";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { JsonFileCache, type OnUnreadable } from "../reading/json-file-cache.ts";
import { isSafeName } from "../reading/safe-name.ts";
import { listFolder } from "../reading/stored-documents.ts";
import type { ReadHeadFile } from "../requests/change-state.ts";
import { resolveWorkspace } from "./resolve-workspace.ts";

const requestMode = 0o600; // it holds the session's tokens

export interface WorkspaceBookDeps {
  data: DataFolder;
  /** Group on the forge whose projects `<group>/<user>` are the users'. */
  group: string;
  forge: Pick<Forge, "project" | "findUser">;
  /** Where the forge is: its host stands in addresses for commits. */
  forgeUrl: string;
  readHeadFile: ReadHeadFile;
  platform: () => PlatformDocument | undefined;
  templates: readonly string[];
  /** Tells the runner to look at this user. A lost nudge costs time only. */
  nudgeUser: (user: string) => void;
  onUnreadable: OnUnreadable;
}

/**
 * Workspaces as they shall be, one request document for each user. Each wish is on disk before it is acknowledged, so that a
 * crash loses none.
 */
export class WorkspaceBook {
  readonly #deps: WorkspaceBookDeps;
  readonly #serial = new SerialByKey();
  readonly #requests: JsonFileCache<WorkspaceRequest>;
  readonly #observed: JsonFileCache<ObservedWorkspace>;

  constructor(deps: WorkspaceBookDeps) {
    this.#deps = deps;
    this.#requests = new JsonFileCache(checkWorkspaceRequest, deps.onUnreadable);
    this.#observed = new JsonFileCache(checkObservedWorkspace, deps.onUnreadable);
  }

  /** Everybody who ever asked for one, sorted. */
  async users(): Promise<string[]> {
    const names = await listFolder(this.#deps.data.workspaceRequests);
    return names.flatMap((name) => /^([^.].*)\.json$/.exec(name)?.[1] ?? []).sort();
  }

  async request(user: string): Promise<WorkspaceRequest | undefined> {
    return isSafeName(user) ? await this.#requests.read(this.#path(user)) : undefined;
  }

  async observed(user: string): Promise<ObservedWorkspace | undefined> {
    return await this.#observed.read(join(this.#deps.data.workspaces, user, "observed.json"));
  }

  /** Its tools answer, as of the session that is wanted. */
  async isReady(user: string): Promise<boolean> {
    const [request, observed] = [await this.request(user), await this.observed(user)];
    const isOfSession = observed?.state === "ready" && observed.session === request?.session;
    return request?.state === "running" && isOfSession;
  }

  /**
   * A new session, unless one is under way. Errors: those of `resolveWorkspace`, `PROJECT_NOT_FOUND`, `REPOSITORY_EMPTY`,
   * `WORKSPACE_OWNER_UNKNOWN`.
   */
  async start(user: string, requestedBy: string): Promise<WorkspaceRequest> {
    return await this.#serial.run(user, async () => {
      const before = await this.request(user);
      if (before?.state === "running" && !(await this.#isOver(before))) return before;
      return await this.#begin(user, requestedBy, { rebuild: false });
    });
  }

  /** Ends what runs and begins a new session, with what workspace.yaml says today. Errors: those of `start`. */
  async restart(user: string, requestedBy: string, options: { rebuild: boolean }): Promise<WorkspaceRequest> {
    return await this.#serial.run(user, () => this.#begin(user, requestedBy, options));
  }

  /** Also cancels a start that is under way. Without effect on one that does not run. */
  async stop(user: string, requestedBy: string): Promise<WorkspaceRequest | undefined> {
    return await this.#serial.run(user, async () => {
      const before = await this.request(user);
      if (before?.state !== "running") return before;
      return await this.#write({ ...before, state: "stopped", requestedBy });
    });
  }

  /** The idle time begins anew. Errors: `WORKSPACE_NOT_RUNNING`. */
  async keepAlive(user: string, requestedBy: string): Promise<WorkspaceRequest> {
    return await this.#serial.run(user, async () => {
      const before = await this.request(user);
      if (before?.state !== "running" || (await this.#isOver(before))) throw notRunning(user);
      return await this.#write({ ...before, requestedBy, keptAliveAt: new Date().toISOString() });
    });
  }

  /** Its session has ended by itself: it was idle, or given up. */
  async #isOver({ user, session }: WorkspaceRequest): Promise<boolean> {
    const seen = await this.observed(user);
    return seen?.session === session && ["failed", "stopped"].includes(seen.state);
  }

  async #begin(
    user: string,
    requestedBy: string,
    { rebuild }: { rebuild: boolean },
  ): Promise<WorkspaceRequest> {
    const { platform, templates, readHeadFile, forgeUrl } = this.#deps;
    const project = await this.#project(user);
    const [written, owner, before] = await Promise.all([
      readHeadFile(project, "workspace.yaml"),
      this.#deps.forge.findUser(user),
      this.request(user),
    ]);
    if (!owner) {
      throw new ActionNeededError("WORKSPACE_OWNER_UNKNOWN", `the Git host has no active user ${user}`, {
        hint: "a workspace belongs to the user whose name its project has",
      });
    }
    const resolved = resolveWorkspace(written?.text, { platform: platform(), templates });
    return await this.#write({
      version: 1,
      user,
      generation: before?.generation ?? 0,
      session: (before?.session ?? 0) + 1,
      writtenAt: "",
      state: "running",
      requestedBy,
      rebuild,
      ...resolved,
      repository: { project: project.path, branch: project.defaultBranch },
      owner: {
        id: owner.id,
        name: owner.name,
        // The address that GitLab itself takes for a user who does not want to show one.
        email: `${owner.id}-${owner.username}@users.noreply.${new URL(forgeUrl).hostname}`,
      },
      gitToken: newToken(),
      accessToken: newToken(),
    });
  }

  async #project(user: string): Promise<ForgeProject & { defaultBranch: string }> {
    const path = `${this.#deps.group}/${user}`;
    const project = await this.#deps.forge.project(path);
    if (!project) throw new ActionNeededError("PROJECT_NOT_FOUND", `the Git host has no project ${path}`);
    const { defaultBranch } = project;
    if (defaultBranch !== undefined) return { ...project, defaultBranch };
    throw new ActionNeededError("REPOSITORY_EMPTY", `${path} has no commit yet`, {
      hint: "push one, then start the workspace",
    });
  }

  async #write(request: WorkspaceRequest): Promise<WorkspaceRequest> {
    const next = { ...request, generation: request.generation + 1, writtenAt: new Date().toISOString() };
    await writeJsonAtomic(this.#path(next.user), checkWorkspaceRequest(next), requestMode);
    this.#deps.nudgeUser(next.user);
    return next;
  }

  #path(user: string): string {
    return join(this.#deps.data.workspaceRequests, `${user}.json`);
  }
}

export function notRunning(user: string): ActionNeededError {
  return new ActionNeededError("WORKSPACE_NOT_RUNNING", `the workspace of ${user} does not run`, {
    hint: `start it: dtaas workspace start ${user}`,
  });
}

function newToken(): string {
  return randomBytes(32).toString("base64url");
}
