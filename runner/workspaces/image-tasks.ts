import pLimit from "p-limit";
import { ActionNeededError, messageOf } from "#core/errors";
import type { WorkspaceImageFact } from "#planning/plan-workspace";
import type { WorkspaceImage } from "#schemas/twin-spec";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import { renderWorkspace } from "#templates/render-workspace";
import type { Images } from "../engine/engine.ts";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";

const atOnce = 2; // builds and pulls are heavy; more would only take longer each

/** Builds the image of a template with the tools of a session; the log is `<builds>/<hash>.ndjson`. */
export type BuildSessionImage = (
  workspace: WorkspaceImage,
  signal: AbortSignal,
) => Promise<{ hash: string; id: string }>;

interface Task {
  session: number;
  state: "queued" | "building" | "pulling" | "failed";
  reason?: string;
  stop: AbortController;
}

/**
 * Images of workspaces on their way: at most one for each user, begun anew by a process that finds it unfinished, since what was
 * built so far is in the engine's cache.
 */
export class ImageTasks {
  readonly #images: Images;
  readonly #containers: WorkspaceContainers;
  readonly #build: BuildSessionImage;
  readonly #limit = pLimit(atOnce);
  readonly #tasks = new Map<string, Task>();
  readonly #hashes = new Map<string, string>();
  /** Sessions whose image was made by this process. */
  readonly #got = new Map<string, number>();

  constructor(parts: { images: Images; containers: WorkspaceContainers; build: BuildSessionImage }) {
    this.#images = parts.images;
    this.#containers = parts.containers;
    this.#build = parts.build;
  }

  /** What is known of the image that a request asks for. Throws what the engine throws. */
  async fact(request: WorkspaceRequest): Promise<WorkspaceImageFact> {
    const task = this.#tasks.get(request.user);
    if (task && (task.session === request.session || task.state !== "failed")) {
      return task.state === "failed"
        ? { state: "failed", reason: task.reason ?? "its image could not be had" }
        : { state: task.state };
    }
    if (request.rebuild && this.#got.get(request.user) !== request.session) return { state: "missing" };
    try {
      const hash = await this.hash(request);
      const id = await (hash === undefined
        ? this.#containers.findImage(request.image ?? "")
        : this.#images.find(hash));
      return id === undefined ? { state: "missing" } : { state: "present", id, ...(hash ? { hash } : {}) };
    } catch (error) {
      if (error instanceof ActionNeededError) return { state: "failed", reason: messageOf(error) };
      throw error;
    }
  }

  /** Content hash of the template as it is today; `undefined` for a ready image. */
  async hash({ template }: WorkspaceRequest): Promise<string | undefined> {
    if (!template) return undefined;
    const baseImageId = await this.#images.base();
    // Templates do not change while this process lives.
    const key = JSON.stringify([template, baseImageId]);
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    const { hash } = await renderWorkspace(template, { baseImageId, withSession: true });
    this.#hashes.set(key, hash);
    return hash;
  }

  /** Begins to build or pull. `done` is called whenever something about it is new. */
  start(request: WorkspaceRequest, done: () => void): void {
    const before = this.#tasks.get(request.user);
    if (before && before.session === request.session && before.state !== "failed") return;
    before?.stop.abort();
    const task: Task = { session: request.session, state: "queued", stop: new AbortController() };
    this.#tasks.set(request.user, task);
    const isCurrent = () => this.#tasks.get(request.user) === task;
    void this.#limit(async () => {
      const { signal } = task.stop;
      if (signal.aborted) return;
      task.state = request.template ? "building" : "pulling";
      done();
      try {
        await this.#get(request, signal);
        if (!isCurrent()) return;
        this.#tasks.delete(request.user);
        this.#got.set(request.user, request.session);
        done();
      } catch (error) {
        if (!isCurrent() || signal.aborted) return;
        task.state = "failed";
        task.reason = inOneSentence(messageOf(error));
        done();
      }
    });
  }

  drop(user: string): void {
    this.#tasks.get(user)?.stop.abort(new Error("the workspace is not wanted any more"));
    this.#tasks.delete(user);
  }

  close(): void {
    for (const user of [...this.#tasks.keys()]) this.drop(user);
  }

  async #get(request: WorkspaceRequest, signal: AbortSignal): Promise<void> {
    if (!request.template) return void (await this.#containers.pull(request.image ?? "", signal));
    const hash = await this.hash(request);
    // One that somebody else works in stays, and is as new as it can be.
    if (request.rebuild && hash !== undefined) await this.#images.remove(hash);
    await this.#build(request.template, signal);
  }
}

/** What went wrong and the line of the build that tells why; the rest is in its log. */
function inOneSentence(reason: string): string {
  const [first = "", ...rest] = reason.split("\n").map((line) => line.trim());
  const telling = rest.find((line) => /^E:|error|fail/i.test(line));
  return telling === undefined ? first : `${first} (${telling})`;
}
