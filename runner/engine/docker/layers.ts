import { chmod, chown, cp, lchown, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { diskUsage } from "#core/disk-usage";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { LayerRef, Layers } from "../engine.ts";
import type { LayerMount } from "./container-config.ts";
import { asking, askingUnless } from "./engine-error.ts";
import { engineName, installationLabel, labelFilter, layerLabel } from "./labels.ts";
import { removeByEngine } from "./remove-by-engine.ts";

const workspaceUid = 1000;
const goingPrefix = ".going-"; // a layer being removed; not listed, finished at the next removal of it

export interface DockerLayers extends Layers {
  /** Where a layer lies; `ActionNeededError("LAYER_MISSING")`. Of one that was just ensured it is known. */
  mountOf(layer: LayerRef): Promise<LayerMount>;
}

/**
 * Layers below `folder`, one folder each: `upper` and `work` of an overlay that the engine mounts as a volume, or
 * `copy`, a plain copy of the snapshot, where overlays do not work. `overlayWorks` is asked once, at first need.
 */
export function dockerLayers(
  docker: Docker,
  installation: string,
  {
    folder,
    overlayWorks,
    image,
  }: {
    folder: string;
    overlayWorks: () => Promise<boolean>;
    /** Id of any image that has `rm`. */
    image: () => Promise<string>;
  },
): DockerLayers {
  refuseFolder(folder);
  const serial = new SerialByKey();
  const ensured = new WeakMap<LayerRef, LayerMount>();
  const at = (id: string, ...names: string[]) => join(folder, checked(id), ...names);
  const volumeName = (id: string) => engineName(installation, checked(id));
  const volumeOf = (id: string) =>
    askingUnless([404], `looking at layer ${id}`, () => docker.getVolume(volumeName(id)).inspect());

  async function ensureOverlay(id: string, lowerFolder: string): Promise<void> {
    refuseFolder(lowerFolder);
    await mkdir(at(id, "work"), { recursive: true });
    await mkdir(at(id, "upper"), { recursive: true });
    await giveToWorkspace(at(id, "upper"));
    const o = `lowerdir=${lowerFolder},upperdir=${at(id, "upper")},workdir=${at(id, "work")}`;
    const make = () =>
      asking(`making layer ${id}`, () =>
        docker.createVolume({
          Name: volumeName(id),
          Driver: "local",
          DriverOpts: { type: "overlay", device: "overlay", o },
          Labels: { [installationLabel]: installation, [layerLabel]: id },
        }),
      );
    // The engine answers with the one of this name, where there is one.
    const volume = (await make()) as { Options?: Record<string, string> | null };
    if (volume.Options?.["o"] === o) return;
    await removeVolume(id); // the data folder was moved
    await make();
  }

  async function ensureCopy(id: string, lowerFolder: string): Promise<void> {
    if (await isThere(at(id, "copy"))) return;
    await rm(at(id, "copying"), { recursive: true, force: true });
    await mkdir(at(id), { recursive: true });
    await cp(lowerFolder, at(id, "copying"), { recursive: true, verbatimSymlinks: true });
    await giveTreeToWorkspace(at(id, "copying"));
    await rename(at(id, "copying"), at(id, "copy"));
  }

  async function removeVolume(id: string): Promise<void> {
    const name = volumeName(id);
    let inUse = true;
    await askingUnless([404, 409], `removing layer ${id}`, () => docker.getVolume(name).remove()).then(
      async () => {
        inUse = (await volumeOf(id)) !== undefined;
      },
    );
    if (inUse) throw new TryLaterError(`layer ${id} is in use by a container`, { retryAfterMs: 1_000 });
  }

  return {
    ensure(id, lowerFolder) {
      return serial.run(id, async () => {
        const asCopy = (await isThere(at(id, "copy"))) || !(await overlayWorks());
        await (asCopy ? ensureCopy(id, lowerFolder) : ensureOverlay(id, lowerFolder));
        const ref = { id };
        ensured.set(ref, asCopy ? { folder: at(id, "copy") } : { volume: volumeName(id) });
        return ref;
      });
    },

    remove(id) {
      return serial.run(id, async () => {
        await removeVolume(id);
        const name = `${goingPrefix}${checked(id)}`;
        const removeGoing = () => removeByEngine(docker, { installation, folder, name, image });
        await removeGoing();
        if (await isThere(at(id))) await rename(at(id), join(folder, name));
        await removeGoing();
      });
    },

    async list() {
      const { Volumes } = await asking("listing layers", () =>
        docker.listVolumes({ filters: labelFilter(installation) }),
      );
      const ids = new Set((Volumes ?? []).flatMap((volume) => volume.Labels?.[layerLabel] ?? []));
      for (const name of await readdir(folder).catch(() => [])) if (!name.startsWith(".")) ids.add(name);
      return [...ids].sort();
    },

    async usage(id) {
      return await diskUsage((await isThere(at(id, "copy"))) ? at(id, "copy") : at(id, "upper"));
    },

    async mountOf(layer) {
      const known = ensured.get(layer);
      if (known) return known;
      const { id } = layer;
      if (await isThere(at(id, "copy"))) return { folder: at(id, "copy") };
      // The engine would make an empty volume for a name it does not know.
      if (await volumeOf(id)) return { volume: volumeName(id) };
      throw new ActionNeededError("LAYER_MISSING", `the layer ${id} is not there`, {
        hint: "it is made again when the twin is next looked at",
      });
    },
  };
}

/** Mount options are a list separated by commas, and lower folders one separated by colons. */
export function refuseFolder(folder: string): void {
  const bad = /[,:\\"\s]/.exec(folder)?.[0];
  if (bad === undefined && folder.startsWith("/")) return;
  throw new ActionNeededError(
    "DATA_FOLDER_UNUSABLE",
    `${JSON.stringify(folder)} cannot hold layers of twins`,
    {
      hint: "choose an absolute data folder without commas, colons, backslashes, quotes and blanks in its path",
    },
  );
}

function checked(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$/.test(id)) return id;
  throw new Error(`not a layer id: ${JSON.stringify(id)}`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}

/** The root of the merged view has the owner and mode of this folder. */
async function giveToWorkspace(path: string): Promise<void> {
  try {
    await chown(path, workspaceUid, workspaceUid);
    await chmod(path, 0o755);
  } catch (error) {
    if (!isSystemError(error, "EPERM")) throw error;
    await chmod(path, 0o777); // we are not root
  }
}

async function giveTreeToWorkspace(folder: string): Promise<void> {
  await giveToWorkspace(folder);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveTreeToWorkspace(path);
    else {
      await lchown(path, workspaceUid, workspaceUid).catch((error: unknown) => {
        if (!isSystemError(error, "EPERM")) throw error; // modes of a snapshot let everybody write
      });
    }
  }
}
