import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import type { WorkspaceImage } from "#schemas/twin-spec";
import { renderWorkspace } from "#templates/render-workspace";
import type { ImageRecipe, Images } from "../engine/engine.ts";
import { BuildLog } from "./build-log.ts";
import { type MachineRegistries, openRegistryRelay, type RegistryRelay } from "./registry-relay.ts";

const buildDeadlineMs = 15 * 60_000;

export interface ImageBuilderParts {
  images: Images;
  data: Pick<DataFolder, "builds">;
  /** The machine's settings of apt and pip, read before each build. */
  registries: () => Promise<MachineRegistries>;
  deadlineMs?: number;
}

export interface ImageBuilder {
  /**
   * The image of a workspace, built unless it is there. Whoever asks for one that is being built waits for the same
   * build, which goes on until the last of them has lost interest. The log is `<builds>/<hash>.ndjson`.
   * Throws `BUILD_FAILED`, `BUILD_TIMED_OUT`, what `renderWorkspace` throws, or the reason of the signal.
   */
  ensure(
    workspace: WorkspaceImage,
    signal: AbortSignal,
    options?: { withSession: boolean },
  ): Promise<{ hash: string; id: string }>;
}

export function createImageBuilder(parts: ImageBuilderParts): ImageBuilder {
  const building = new Map<string, { id: Promise<string>; waiting: number; stop: AbortController }>();

  function attend(recipe: ImageRecipe) {
    const known = building.get(recipe.hash);
    if (known && !known.stop.signal.aborted) return known;
    const stop = new AbortController();
    const id = build(parts, recipe, stop.signal).finally(() => {
      if (building.get(recipe.hash) === mine) building.delete(recipe.hash);
    });
    id.catch(() => {}); // everybody who waits for it sees it
    const mine = { id, waiting: 0, stop };
    building.set(recipe.hash, mine);
    return mine;
  }

  return {
    async ensure(workspace, signal, options) {
      const recipe = await renderWorkspace(workspace, { baseImageId: await parts.images.base(), ...options });
      signal.throwIfAborted();
      const found = building.has(recipe.hash) ? undefined : await parts.images.find(recipe.hash);
      if (found !== undefined) return { hash: recipe.hash, id: found };
      const mine = attend(recipe);
      mine.waiting += 1;
      try {
        return { hash: recipe.hash, id: await Promise.race([mine.id, abortOf(signal)]) };
      } finally {
        mine.waiting -= 1;
        if (mine.waiting === 0) mine.stop.abort(signal.reason);
      }
    },
  };
}

async function build(parts: ImageBuilderParts, recipe: ImageRecipe, signal: AbortSignal): Promise<string> {
  const deadlineMs = parts.deadlineMs ?? buildDeadlineMs;
  const late = AbortSignal.timeout(deadlineMs);
  const log = await BuildLog.create(join(parts.data.builds, `${recipe.hash}.ndjson`));
  const relay = await openRegistryRelay(await parts.images.buildHost(), await parts.registries());
  try {
    const onLine = (line: string) => log.write(relay.redact(line));
    return await parts.images.build(recipe, onLine, AbortSignal.any([signal, late]), relay.proxyUrl);
  } catch (error) {
    const told = toBuildError(error, late.aborted && !signal.aborted ? deadlineMs : undefined, relay);
    log.write(messageOf(told), "platform");
    throw told;
  } finally {
    await relay.close();
    await log.close();
  }
}

function toBuildError(error: unknown, lateAfterMs: number | undefined, relay: RegistryRelay): unknown {
  if (lateAfterMs !== undefined) {
    return new ActionNeededError(
      "BUILD_TIMED_OUT",
      `the image was not built within ${lateAfterMs / 1000} seconds`,
      {
        hint: "ask for fewer or smaller packages",
        cause: error,
      },
    );
  }
  if (!(error instanceof ActionNeededError) || error.code !== "BUILD_FAILED") return error;
  const last = relay.troubles.at(-1);
  const registries = "the machine's package registries could not be reached as its apt and pip are set";
  const hint = last === undefined ? error.hint : `${registries}: ${last}`;
  return new ActionNeededError(
    "BUILD_FAILED",
    relay.redact(error.message),
    hint === undefined ? {} : { hint },
  );
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
