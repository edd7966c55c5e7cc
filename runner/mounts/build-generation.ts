import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import type { ViewSource } from "#schemas/desired-state";
import type { LinkCache } from "./link-cache.ts";

/** What a generation is made of; lies in it, so that one rename makes both appear. */
export interface AboutGeneration {
  /** Hash of the sources and of where their links lead. */
  key: string;
  sources: ViewSource[];
  /** By source: where its link leads. */
  roots: string[];
  assets: { path: string; from: number }[];
}

const linksFolder = ".r";
const aboutFile = "about.json";
const folderMode = 0o755; // whoever sees it inside may look and not write

/**
 * Builds a generation at `into`, which must not be there: one long link for each source, short relative ones for the
 * assets, since a target of 60 bytes or more takes a block of its own. Without a pause: a few milliseconds for hundreds of
 * assets, and nobody else in this process can come between.
 */
export function buildGeneration(into: string, about: AboutGeneration, links: LinkCache): void {
  makeFolder(into);
  makeFolder(join(into, linksFolder));
  for (const [index, root] of about.roots.entries())
    symlinkSync(root, join(into, linksFolder, String(index)));
  const made = new Set<string>();
  for (const { path, from } of about.assets) {
    const [folder = ""] = path.split("/");
    if (!made.has(folder)) makeFolder(join(into, folder));
    made.add(folder);
    links.make(assetLink(path, from), join(into, path));
  }
  writeFileSync(join(into, linksFolder, aboutFile), JSON.stringify(about), { mode: 0o644 });
}

/** Where the link of an asset leads, from the folder it lies in. */
export function assetLink(path: string, from: number): string {
  return `../${linksFolder}/${from}/${path}`;
}

/** What stands at `folder`; `undefined` where that is no whole generation. */
export function readGeneration(folder: string): AboutGeneration | undefined {
  try {
    const about = JSON.parse(readFileSync(join(folder, linksFolder, aboutFile), "utf8")) as AboutGeneration;
    const whole =
      about.roots.every((root, index) => readlinkSync(join(folder, linksFolder, String(index))) === root) &&
      sameNames(folder, about.assets);
    return whole ? about : undefined;
  } catch {
    return undefined; // a power cut may leave names without their content
  }
}

/** From the first moment on nobody finds a half of it under its name. */
export function removeGeneration(folder: string, aside: string): void {
  try {
    renameSync(folder, aside);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return;
    throw error;
  }
  rmSync(aside, { recursive: true, force: true });
}

function sameNames(folder: string, assets: AboutGeneration["assets"]): boolean {
  const found = new Set<string>();
  for (const name of readdirSync(folder)) {
    if (name === linksFolder) continue;
    for (const asset of readdirSync(join(folder, name))) found.add(`${name}/${asset}`);
  }
  return found.size === assets.length && assets.every(({ path }) => found.has(path));
}

/** Whatever the umask. */
function makeFolder(path: string): void {
  mkdirSync(path);
  chmodSync(path, folderMode);
}
