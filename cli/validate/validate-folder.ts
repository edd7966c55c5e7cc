import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSystemError } from "#core/errors";
import { mergeAssets } from "#planning/merge-assets";
import { type MergedSource, mergedTree, subtree } from "#planning/merged-tree";
import { maxDocumentBytes } from "#schemas/limits";
import { parseWorkspace } from "#schemas/parse-workspace";
import type { RepositoryTree } from "#schemas/repository-tree";
import type { PlatformDocument } from "#schemas/twin-spec";
import { type ValidatedRepository, validateRepository } from "#schemas/validate-repository";
import { listWorkspaceTemplates } from "#templates/workspace-templates";
import { readPlatform } from "./read-platform.ts";
import { type WorkingTree, workingTree } from "./working-tree.ts";

export interface FolderToValidate {
  root: string;
  /** Whose repository it is. */
  user: string;
  /**
   * Folders of shared-asset repositories, in order of precedence. Not given: those beside the repository that platform.yaml
   * and workspace.yaml name. Where one of them is not there, paths below common/ are not checked.
   */
  common?: readonly string[] | undefined;
  /** Folder of the platform repository; without one, given or beside, the built-in defaults count. */
  platform?: string | undefined;
}

export interface ValidatedFolder {
  result: ValidatedRepository;
  tree: WorkingTree;
  /** The installation's platform.yaml, where its folder is known. */
  platform: PlatformDocument | undefined;
  /** What /workspace/common would show; `undefined` where that cannot be seen from here. */
  common: RepositoryTree | undefined;
  /** The folders that were looked at, too. */
  neighbours: { common: string[]; platform: string | null };
}

/** Validates the files in a folder as the platform would validate a commit of them. */
export async function validateFolder(folder: FolderToValidate): Promise<ValidatedFolder> {
  const tree = workingTree(folder.root);
  const platformFolder = folder.platform ?? (await beside(folder.root, "platform", isPlatform));
  const templates = (await listWorkspaceTemplates()).map(({ name }) => name);
  const platform = platformFolder === undefined ? undefined : await readPlatform(platformFolder, templates);
  const sharedFolders = folder.common ?? (await sharedBeside(folder.root, tree, platform));
  const common = sharedFolders && viewOf(tree, sharedFolders);
  const result = await validateRepository({
    user: folder.user,
    tree,
    read: (path) => tree.read(path, maxDocumentBytes),
    common: common ?? "unknown",
    templates,
    platform,
    ...(platform === undefined ? {} : { platform }),
  });
  return {
    result,
    tree,
    common,
    platform,
    neighbours: { common: [...(sharedFolders ?? [])], platform: platformFolder ?? null },
  };
}

/** The user's own `common/` folder, then shared repositories: as the platform shows them. */
function viewOf(tree: RepositoryTree, folders: readonly string[]): RepositoryTree {
  const own = tree.entry("common")?.kind === "folder" ? [{ tree, folder: "common" }] : [];
  const sources: MergedSource[] = [...own, ...folders.map((folder) => ({ tree: workingTree(folder) }))];
  return mergedTree(sources, mergeAssets(sources.map(subtree)).assets);
}

/** All shared repositories that this user would see, beside the repository; `undefined` where one of them is not. */
async function sharedBeside(
  root: string,
  tree: WorkingTree,
  platform: PlatformDocument | undefined,
): Promise<string[] | undefined> {
  const text = await tree.read("workspace.yaml", maxDocumentBytes);
  const workspace = text && parseWorkspace(text, { file: "workspace.yaml" }).document;
  const wanted = [
    ...(platform?.shared.map(({ project }) => project) ?? ["common"]),
    ...(workspace ? workspace.shared : []),
  ];
  const names = wanted.map((project) => project.slice(project.lastIndexOf("/") + 1));
  const found = await Promise.all(names.map((name) => beside(root, name, isAssets)));
  const there = found.filter((folder) => folder !== undefined);
  return there.length === found.length ? there : undefined;
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
