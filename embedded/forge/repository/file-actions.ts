import type { Git } from "../git/git.ts";
import { badParameter, badRequest } from "../http/api-error.ts";
import { type TreeEntry, treeEntries } from "./tree-entries.ts";

export interface FileAction {
  action: "create" | "update" | "delete" | "move" | "chmod";
  path: string;
  /** Where a moved file was. */
  previousPath?: string;
  /** A moved file without one keeps its own. */
  content?: Buffer;
  executable?: boolean;
  /** The commit that touched the file last, as the caller knows it. */
  lastCommitId?: string;
}

const maxPathBytes = 4096;
const exists = "A file with this name already exists";
const missing = "A file with this name doesn't exist";
const stale = "You are attempting to update a file that has changed since you started editing it.";

/** Checks actions one after another against the tree of `base` and turns them into commands of `git fast-import`. */
export async function planFileActions(
  git: Git,
  gitDir: string,
  base: string | undefined,
  actions: readonly FileAction[],
): Promise<Buffer[]> {
  const touched = actions.flatMap(({ path, previousPath }) => (previousPath ? [path, previousPath] : [path]));
  for (const path of touched)
    if (!isFilePath(path)) throw badParameter("file_path should be a valid file path");
  const wanted = new Set(touched.flatMap(withParents));
  const tree: Tree = new Map();
  for (const entry of base ? await treeEntries(git, gitDir, base, [...wanted]) : [])
    tree.set(entry.path, entry);
  const commands: Buffer[] = [];
  for (const action of actions) {
    if (action.lastCommitId !== undefined && base) await checkFresh(git, gitDir, base, action);
    commands.push(...planAction(tree, action));
  }
  return commands;
}

/** `content`: of a file that an earlier action of the same commit wrote. */
type Tree = Map<string, Pick<TreeEntry, "type" | "mode" | "id"> & { content?: Buffer }>;

function planAction(tree: Tree, action: FileAction): Buffer[] {
  const { path } = action;
  switch (action.action) {
    case "create":
      checkFree(tree, path);
      return writeFile(tree, action, action.executable ? "100755" : "100644");
    case "update": {
      const { mode } = existing(tree, path);
      return writeFile(tree, action, modeFor(action, mode));
    }
    case "delete":
      existing(tree, path);
      tree.delete(path);
      return [Buffer.from(`D ${quoted(path)}\n`)];
    case "chmod": {
      const entry = existing(tree, path);
      const mode = action.executable ? "100755" : "100644";
      tree.set(path, { ...entry, mode });
      if (entry.content) return writeFile(tree, { ...action, content: entry.content }, mode);
      return [Buffer.from(`M ${mode} ${entry.id} ${quoted(path)}\n`)];
    }
    case "move": {
      const from = action.previousPath ?? "";
      const entry = existing(tree, from);
      tree.delete(from);
      checkFree(tree, path);
      if (action.content) {
        return [Buffer.from(`D ${quoted(from)}\n`), ...writeFile(tree, action, modeFor(action, entry.mode))];
      }
      tree.set(path, entry);
      return [Buffer.from(`R ${quoted(from)} ${quoted(path)}\n`)];
    }
  }
}

function writeFile(tree: Tree, action: FileAction, mode: string): Buffer[] {
  const content = action.content ?? Buffer.alloc(0);
  tree.set(action.path, { type: "blob", mode, id: "", content });
  return [
    Buffer.from(`M ${mode} inline ${quoted(action.path)}\ndata ${content.length}\n`),
    content,
    Buffer.from("\n"),
  ];
}

function modeFor(action: FileAction, mode: string): string {
  if (action.executable === undefined) return mode === "120000" ? "100644" : mode;
  return action.executable ? "100755" : "100644";
}

function existing(tree: Tree, path: string): Tree extends Map<string, infer E> ? E : never {
  const entry = tree.get(path);
  if (entry?.type !== "blob") throw badRequest(missing);
  return entry;
}

function checkFree(tree: Tree, path: string): void {
  const there = tree.get(path);
  if (there) throw badRequest(there.type === "tree" ? "A directory with this name already exists" : exists);
  const isFile = (parent: string) => parent !== path && tree.has(parent) && tree.get(parent)?.type !== "tree";
  if (withParents(path).some(isFile)) throw badRequest(exists);
}

async function checkFresh(git: Git, gitDir: string, base: string, action: FileAction): Promise<void> {
  const path = action.previousPath ?? action.path;
  const last = await git.text(gitDir, ["log", "--max-count=1", "--format=%H", base, "--", path]);
  if (last.trim() !== action.lastCommitId) throw badRequest(stale);
}

/** `a/b/c` -> `a`, `a/b`, `a/b/c`. */
function withParents(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** A relative path that git and every checkout can take. */
export function isFilePath(path: string): boolean {
  if (path === "" || Buffer.byteLength(path) > maxPathBytes || /\p{Cc}/u.test(path)) return false;
  return path.split("/").every((part) => part !== "" && !/^(\.|\.\.|\.git)$/i.test(part));
}

/** A path as fast-import wants it, in C's quotes. */
function quoted(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
