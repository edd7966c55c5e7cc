import { constants } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { diskUsage } from "#core/disk-usage";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { Layers, ReadOnlyMount } from "../engine.ts";

const workspace = "/workspace";
const goingPrefix = ".going-"; // a layer being removed; not listed, finished at the next removal of it

export interface ProcessLayers extends Layers {
  /** The layer's folder on this machine; `ActionNeededError("LAYER_MISSING")`. */
  folderOf(id: string): Promise<string>;
  /**
   * Puts a copy of each folder that is wanted below /workspace in its place inside the layer, links as they are, for
   * commands that see the layer where it lies. Whatever was there gives way.
   */
  placeMounts(id: string, mounts: readonly ReadOnlyMount[]): Promise<void>;
}

/** Layers below `folder`: each a plain copy of its snapshot, so that what a twin writes changes nothing else. */
export function processLayers(folder: string, inUse: (id: string) => Promise<boolean>): ProcessLayers {
  const serial = new SerialByKey();
  const at = (id: string, ...names: string[]) => join(folder, checked(id), ...names);

  return {
    ensure(id, lowerFolder) {
      return serial.run(id, async () => {
        if (!(await isThere(at(id, "copy")))) await copyTree(lowerFolder, at(id, "copy"));
        return { id };
      });
    },

    remove(id) {
      return serial.run(id, async () => {
        if (await inUse(id)) {
          throw new TryLaterError(`layer ${id} is in use by a run`, { retryAfterMs: 1_000 });
        }
        const going = join(folder, `${goingPrefix}${checked(id)}`);
        await rm(going, { recursive: true, force: true });
        if (await isThere(at(id))) await rename(at(id), going);
        await rm(going, { recursive: true, force: true });
      });
    },

    async list() {
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => !name.startsWith(".")).sort();
    },

    usage: (id) => diskUsage(at(id, "copy")),

    async folderOf(id) {
      if (await isThere(at(id, "copy"))) return at(id, "copy");
      throw new ActionNeededError("LAYER_MISSING", `the layer ${id} is not there`, {
        hint: "it is made again when the twin is next looked at",
      });
    },

    placeMounts(id, mounts) {
      return serial.run(id, async () => {
        const note = at(id, "mounts.json");
        const placed = ((await readJson(note).catch(() => undefined)) ?? {}) as Record<string, string>;
        for (const { source, target } of mounts) {
          const inside = relative(workspace, target);
          if (inside === "" || inside.startsWith("..")) continue; // seen at its own path
          const place = at(id, "copy", inside);
          if (placed[inside] === source && (await isThere(place))) continue;
          await rm(at(id, "old-mount"), { recursive: true, force: true });
          await copyTree(source, at(id, "new-mount"));
          if (await isThere(place)) await rename(place, at(id, "old-mount"));
          await rename(at(id, "new-mount"), place);
          placed[inside] = source;
          await writeJsonAtomic(note, placed);
          await rm(at(id, "old-mount"), { recursive: true, force: true });
        }
      });
    },
  };
}

/** All of it or nothing: copied beside, then renamed. */
async function copyTree(from: string, to: string): Promise<void> {
  const beside = `${to}.part`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(join(beside, ".."), { recursive: true });
  await cp(from, beside, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  await rm(to, { recursive: true, force: true });
  await rename(beside, to);
}

function checked(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$/.test(id)) return id;
  throw new Error(`not a layer id: ${JSON.stringify(id)}`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}
