import { constants } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { Layers } from "../engine.ts";

const goingPrefix = ".going-"; // a layer being removed; not listed, finished at the next removal of it

export interface ProcessLayers extends Layers {
  /** The layer's folder on this machine; `ActionNeededError("LAYER_MISSING")`. */
  folderOf(id: string): Promise<string>;
  /** Puts a copy of the shared files at `common` inside the layer, for commands that see it where it lies. */
  placeCommon(id: string, commonFolder: string): Promise<void>;
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

    async folderOf(id) {
      if (await isThere(at(id, "copy"))) return at(id, "copy");
      throw new ActionNeededError("LAYER_MISSING", `the layer ${id} is not there`, {
        hint: "it is made again when the twin is next looked at",
      });
    },

    placeCommon(id, commonFolder) {
      return serial.run(id, async () => {
        const note = at(id, "common.json");
        const target = at(id, "copy", "common");
        const from = (await readJson(note).catch(() => undefined)) as { from?: string } | undefined;
        if (from?.from === commonFolder && (await isThere(target))) return;
        await rmdir(target).catch(() => undefined); // an empty one: where a sandbox had them
        if (from === undefined && (await isThere(target))) return; // the repository has a folder of that name
        await rm(at(id, "old-common"), { recursive: true, force: true });
        if (await isThere(target)) await rename(target, at(id, "old-common"));
        await copyTree(commonFolder, target, at(id, "new-common"));
        await writeJsonAtomic(note, { from: commonFolder });
        await rm(at(id, "old-common"), { recursive: true, force: true });
      });
    },
  };
}

/** All of it or nothing: copied beside, then renamed. */
async function copyTree(from: string, to: string, beside = `${to}.part`): Promise<void> {
  await rm(beside, { recursive: true, force: true });
  await mkdir(join(beside, ".."), { recursive: true });
  await cp(from, beside, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
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
