import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import type { ImageFact } from "#planning/facts";
import type { WorkspaceImage } from "#schemas/twin-spec";
import type { ImageRecipe, Images } from "../engine/engine.ts";

// A build that failed is tried again after this, doubled each time; after the last one its recipe is quarantined: it is
// not built again until another one is asked for.
const firstRetryMs = 60_000;
const maxBuildFailures = 4;

interface BuildFailure {
  failures: number;
  reason: string;
  at: string;
}

/** Turns a workspace description into what the engine builds. */
export type RenderWorkspace = (
  workspace: WorkspaceImage,
  on: { baseImageId: string },
) => Promise<ImageRecipe>;

/** Which image belongs to a workspace description, and whether it is there. */
export class ImageShelf {
  readonly #images: Images;
  readonly #data: DataFolder;
  readonly #render: RenderWorkspace;
  #present = new Map<string, string>();
  #recipes = new Map<string, Promise<ImageRecipe>>();

  constructor(images: Images, data: DataFolder, render: RenderWorkspace) {
    this.#images = images;
    this.#data = data;
    this.#render = render;
  }

  /** Templates do not change while this process lives, so each description is rendered once. */
  async recipe(workspace: WorkspaceImage): Promise<ImageRecipe> {
    const key = JSON.stringify(workspace);
    const known = this.#recipes.get(key);
    if (known) return await known;
    const recipe = this.#images.base().then((baseImageId) => this.#render(workspace, { baseImageId }));
    this.#recipes.set(key, recipe);
    recipe.catch(() => this.#recipes.delete(key));
    return await recipe;
  }

  async fact(workspace: WorkspaceImage): Promise<ImageFact> {
    let recipe: ImageRecipe;
    try {
      recipe = await this.recipe(workspace);
    } catch (error) {
      if (error instanceof ActionNeededError) return { state: "unknown", reason: messageOf(error) };
      throw error;
    }
    const { hash } = recipe;
    const id = this.#present.get(hash) ?? (await this.#images.find(hash));
    if (id !== undefined) {
      this.#present.set(hash, id);
      return { state: "present", hash, id };
    }
    const failure = await this.#failure(hash);
    if (!failure) return { state: "missing", hash };
    return { state: "failed", hash, ...outlook(failure) };
  }

  /** Whether a build would be too early now: the last one failed, and its next try is not due, or there is none. */
  async isHeldBack(hash: string): Promise<boolean> {
    const failure = await this.#failure(hash);
    return failure !== undefined && Date.now() < (outlook(failure).retryAtMs ?? Number.POSITIVE_INFINITY);
  }

  async noteFailure(hash: string, reason: string): Promise<void> {
    const before = await this.#failure(hash);
    const failures = (before?.failures ?? 0) + 1;
    const failure: BuildFailure = { failures, reason: inOneSentence(reason), at: new Date().toISOString() };
    await writeJsonAtomic(join(this.#data.builds, `${hash}.failed.json`), failure);
  }

  /** Called now and then: images may have been removed, or the base image replaced, by somebody. */
  forget(): void {
    this.#present = new Map();
    this.#recipes = new Map();
  }

  async #failure(hash: string): Promise<BuildFailure | undefined> {
    return (await readJson(join(this.#data.builds, `${hash}.failed.json`))) as BuildFailure | undefined;
  }
}

/** Whether and when it is tried again, and what people are told. */
function outlook({ failures, reason, at }: BuildFailure): { reason: string; retryAtMs?: number } {
  if (failures >= maxBuildFailures) {
    return { reason: `quarantined after ${failures} failed builds, until its packages change: ${reason}` };
  }
  const retryAtMs = Date.parse(at) + firstRetryMs * 2 ** (failures - 1);
  const next = new Date(retryAtMs).toISOString().slice(11, 19);
  return {
    reason: `${reason}; build ${failures} of ${maxBuildFailures}, the next one at ${next} UTC`,
    retryAtMs,
  };
}

/** What went wrong and the line of the build that tells why; the rest is in its log. */
function inOneSentence(reason: string): string {
  const [first = "", ...rest] = reason.split("\n").map((line) => line.trim());
  const telling = rest.filter((line) => /^E:|error|fail/i.test(line))[0];
  return telling === undefined ? first : `${first} (${telling})`;
}
