import { randomBytes } from "node:crypto";
import { chmod, chown, copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeFileAtomic, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import { freshMemory, type WorkspaceMemory } from "#planning/workspace-memory";
import { checkObservedWorkspace, checkWorkspaceRequest } from "#schemas/documents/check-documents";
import type { ObservedWorkspace, WorkspaceRequest } from "#schemas/workspace-state";
import { workspaceTemplates } from "#templates/workspace-templates";
import { listFolder } from "../runs/run-store.ts";

const workspaceUid = 1000; // of whoever works in a workspace
const scripts = ["copy-work-tree", "desktop.py", "session", "terminal.py", "work-tree"];

/** What is on disk of workspaces: read from the controller, remembered, published, and shown inside. */
export class WorkspaceFiles {
  readonly #data: DataFolder;

  constructor(data: DataFolder) {
    this.#data = data;
  }

  /** Everybody who ever asked for a workspace. */
  async users(): Promise<string[]> {
    const names = await listFolder(this.#data.workspaceRequests);
    return names.flatMap((name) => /^([^.].*)\.json$/.exec(name)?.[1] ?? []);
  }

  async request(user: string): Promise<WorkspaceRequest | undefined> {
    const found = await readJson(join(this.#data.workspaceRequests, `${user}.json`));
    return found === undefined ? undefined : checkWorkspaceRequest(found);
  }

  /** Of this session; another session begins with an empty one. */
  async memory(user: string, session: number): Promise<WorkspaceMemory> {
    const found = (await readJson(join(this.#folder(user), "memory.json"))) as WorkspaceMemory | undefined;
    return found?.session === session ? found : freshMemory(session, found);
  }

  async remember(user: string, memory: WorkspaceMemory): Promise<void> {
    await writeJsonAtomic(join(this.#folder(user), "memory.json"), memory);
  }

  async observed(user: string): Promise<ObservedWorkspace | undefined> {
    const found = await readJson(join(this.#folder(user), "observed.json"));
    return found === undefined ? undefined : checkObservedWorkspace(found);
  }

  async publish(observed: ObservedWorkspace): Promise<void> {
    await writeJsonAtomic(join(this.#folder(observed.user), "observed.json"), observed);
  }

  /** Where the log of a session is collected. */
  logFolder(user: string, session: number): string {
    return join(this.#folder(user), "sessions", String(session));
  }

  /**
   * Folders and files that a session's container gets. The files of the user are made once and never looked into. Resolves to
   * the folders on this machine and the key its tools ask for.
   */
  async prepare(
    request: WorkspaceRequest,
  ): Promise<{ tree: string; home: string; run: string; toolKey: string }> {
    const { user } = request;
    const inside = join(this.#folder(user), "inside"); // for the platform's account only: tokens lie below
    const run = join(inside, "run");
    await mkdir(run, { recursive: true });
    await chmod(inside, 0o700);
    await chmod(run, 0o755);
    for (const script of scripts) {
      await copyFile(join(workspaceTemplates, "_session", script), join(run, script));
      await chmod(join(run, script), 0o755);
    }
    await writeFileAtomic(join(run, "git-credential"), `username=${user}\npassword=${request.gitToken}\n`);
    const toolKey = await this.toolKey(user, request.session);
    await writeFileAtomic(join(run, "tool-key"), toolKey);
    const own = join(this.#data.worktrees, user);
    await mkdir(own, { recursive: true });
    await chmod(own, 0o711);
    return {
      tree: await userFolder(join(own, "tree")),
      home: await userFolder(join(own, "home")),
      run,
      toolKey,
    };
  }

  /** The same for as long as the session lasts. */
  async toolKey(user: string, session: number): Promise<string> {
    const path = join(this.logFolder(user, session), "tool-key");
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
    const key = randomBytes(32).toString("base64url");
    await writeFileAtomic(path, key, 0o600);
    return key;
  }

  #folder(user: string): string {
    return join(this.#data.workspaces, user);
  }
}

async function userFolder(path: string): Promise<string> {
  try {
    await mkdir(path);
  } catch (error) {
    if (isSystemError(error, "EEXIST")) return path;
    throw error;
  }
  try {
    await chown(path, workspaceUid, workspaceUid);
  } catch (error) {
    if (!isSystemError(error, "EPERM")) throw error;
    await chmod(path, 0o777); // we are not root
  }
  return path;
}
