import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSystemError } from "#core/errors";
import { maxDocumentBytes } from "#schemas/limits";
import type { PlatformDocument } from "#schemas/twin-spec";
import { type ValidatedRepository, validateRepository } from "#schemas/validate-repository";
import { listWorkspaceTemplates } from "#templates/workspace-templates";
import { readPlatform } from "./read-platform.ts";
import { type WorkingTree, workingTree } from "./working-tree.ts";

export interface FolderToValidate {
  root: string;
  /** Whose repository it is. */
  user: string;
  /** Folder of the shared-asset repository; without one, given or beside, paths below common/ are not checked. */
  common?: string | undefined;
  /** Folder of the platform repository; without one, given or beside, the built-in defaults count. */
  platform?: string | undefined;
}

export interface ValidatedFolder {
  result: ValidatedRepository;
  tree: WorkingTree;
  common: WorkingTree | undefined;
  /** The installation's platform.yaml, where its folder is known. */
  platform: PlatformDocument | undefined;
  /** The folders that were looked at, too. */
  neighbours: { common: string | null; platform: string | null };
}

/** Validates the files in a folder as the platform would validate a commit of them. */
export async function validateFolder(folder: FolderToValidate): Promise<ValidatedFolder> {
  const tree = workingTree(folder.root);
  const commonFolder = folder.common ?? (await beside(folder.root, "common", isAssets));
  const platformFolder = folder.platform ?? (await beside(folder.root, "platform", isPlatform));
  const common = commonFolder === undefined ? undefined : workingTree(commonFolder);
  const templates = (await listWorkspaceTemplates()).map(({ name }) => name);
  const platform = platformFolder === undefined ? undefined : await readPlatform(platformFolder, templates);
  const result = await validateRepository({
    user: folder.user,
    tree,
    read: (path) => tree.read(path, maxDocumentBytes),
    common: common ?? "unknown",
    templates,
    platform,
  });
  return {
    result,
    tree,
    common,
    platform,
    neighbours: { common: commonFolder ?? null, platform: platformFolder ?? null },
  };
}

/** A folder of that name beside the repository, as in a checkout of a whole group, if it looks like one. */
async function beside(
  root: string,
  name: string,
  looksRight: (entries: readonly string[]) => boolean,
): Promise<string | undefined> {
  const folder = join(dirname(root), name);
  return folder !== root && looksRight(await entriesOf(folder)) ? folder : undefined;
}

function isAssets(entries: readonly string[]): boolean {
  return ["data", "functions", "models", "tools", "digital_twins"].some((name) => entries.includes(name));
}

function isPlatform(entries: readonly string[]): boolean {
  return entries.includes("platform.yaml");
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].some((code) => isSystemError(error, code))) return [];
    throw error;
  }
}
