import { ActionNeededError } from "#core/errors";
import type { GitEntry } from "../assets/git-entry.ts";
import type { FileAction } from "../forge/forge.ts";
import type { PlannedAction } from "../library/plan-changes.ts";

const maxFiles = 1_000; // one commit travels in one request
/** What one commit may bring. */
export const maxRestoredBytes = 32 * 1024 * 1024;

/** A repository at a commit, as Git lists it. */
export interface ListedTree {
  readonly entries: readonly GitEntry[];
}

/** What has to be done to a file, before it is known who touched it last and what stands in it. */
export type RestoreAction =
  Exclude<PlannedAction, { action: "move" }> extends infer A
    ? A extends { content: Uint8Array }
      ? Omit<A, "content"> & { id: string }
      : A
    : never;

/**
 * The actions that make a folder as it was at a former commit; none where it is so already. Pure. Errors:
 * `FILE_NOT_REGULAR`, `ROLLBACK_TOO_LARGE`.
 */
export function restoreFolder(head: ListedTree, former: ListedTree, folder: string): RestoreAction[] {
  const filesOf = ({ entries }: ListedTree) => {
    const below = entries.filter(({ kind, path }) => kind !== "folder" && path.startsWith(`${folder}/`));
    return new Map(below.map((entry) => [entry.path, entry]));
  };
  const [now, then] = [filesOf(head), filesOf(former)];
  const actions: RestoreAction[] = [];
  let bytes = 0;
  // What goes makes room first: a folder may have become a file.
  for (const { path } of now.values()) if (!then.has(path)) actions.push({ action: "delete", path });
  for (const entry of then.values()) {
    const { path, id, executable } = entry;
    const there = now.get(path);
    if (there?.id === id && there.kind === entry.kind && there.executable === executable) continue;
    for (const one of there ? [entry, there] : [entry]) if (one.kind !== "file") throw irregular(one);
    if (!there) actions.push({ action: "create", path, id, executable });
    else if (there.id !== id) actions.push({ action: "update", path, id });
    if (there && there.executable !== executable) actions.push({ action: "chmod", path, executable });
    bytes += there?.id === id ? 0 : entry.bytes;
  }
  if (actions.length > maxFiles || bytes > maxRestoredBytes) {
    throw new ActionNeededError(
      "ROLLBACK_TOO_LARGE",
      `${actions.length} files with ${bytes} bytes are others; one commit takes ${maxFiles} files and ${maxRestoredBytes} bytes`,
      { hint: "do it with git: git checkout <commit> -- <folder>" },
    );
  }
  return actions;
}

/** The actions as the Git host takes them. */
export function withContents(
  actions: readonly RestoreAction[],
  known: { contents: ReadonlyMap<string, Uint8Array>; lastCommits: ReadonlyMap<string, string> },
): FileAction[] {
  return actions.map((action): FileAction => {
    if (action.action === "chmod") return action;
    const lastCommit = known.lastCommits.get(action.path) ?? "";
    if (action.action === "delete") return { ...action, lastCommit };
    const content = known.contents.get(action.path) ?? new Uint8Array();
    if (action.action === "update") return { action: "update", path: action.path, content, lastCommit };
    return { action: "create", path: action.path, content, executable: action.executable };
  });
}

function irregular({ path, kind }: GitEntry): ActionNeededError {
  return new ActionNeededError("FILE_NOT_REGULAR", `${path} is a ${kind}, which a Git host does not take`, {
    where: { file: path },
    hint: "roll back with git: git checkout <commit> -- <folder>",
  });
}
