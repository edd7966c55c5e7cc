import { createHash } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { GitEntry } from "../assets/git-entry.ts";
import type { FileAction } from "../forge/forge.ts";
import { checkAssetPath, checkNewTwin } from "./check-path.ts";
import { maxChangedFiles } from "./library-limits.ts";

/** A wish about files; `delete` and `move` take whole folders, too. */
export type Change =
  | { action: "write"; path: string; content: Uint8Array; executable?: boolean }
  | { action: "delete"; path: string }
  | { action: "move"; from: string; to: string };

/** A repository at a commit, as Git lists it. */
export interface ListedTree {
  /** What stands at a path itself, links not followed. */
  listed(path: string): GitEntry | undefined;
  readonly entries: readonly GitEntry[];
}

export interface ChangeWish {
  changes: readonly Change[];
  /** What the caller has looked at; a path that is not as it was there is a conflict. */
  base: ListedTree | undefined;
  /** Without `base`: files that are there already may be replaced. */
  replace: boolean;
}

/** An action that does not know yet which commit touched its file last. */
export type PlannedAction = FileAction extends infer A
  ? A extends FileAction
    ? Omit<A, "lastCommit">
    : never
  : never;

/**
 * The actions that make `head` as wanted; none where it is so already. Nothing is decided by when a change arrives: what
 * the caller has not seen is never overwritten. Pure. Errors, each naming the file: `FILE_CHANGED`, `FILE_EXISTS`,
 * `FILE_NOT_FOUND`, `PATH_REFUSED`, `PATH_NOT_ASSET`, `TWIN_NAME_REFUSED`, `CHANGES_OVERLAP`, `CHANGES_TOO_MANY`,
 * `FILE_NOT_REGULAR`.
 */
export function planChanges(head: ListedTree, wish: ChangeWish): PlannedAction[] {
  refuseOverlaps(wish.changes);
  const actions: PlannedAction[] = [];
  for (const change of wish.changes) {
    const more = planChange(head, change, wish);
    if (actions.length + more.length > maxChangedFiles) {
      throw new ActionNeededError(
        "CHANGES_TOO_MANY",
        `One commit may change ${maxChangedFiles} files; ${JSON.stringify(pathOf(change))} goes beyond that`,
        { where: { file: pathOf(change) }, hint: "Split it, or use git." },
      );
    }
    actions.push(...more);
  }
  return actions;
}

function planChange(head: ListedTree, change: Change, wish: ChangeWish): PlannedAction[] {
  switch (change.action) {
    case "write":
      return planWrite(head, change, wish);
    case "delete": {
      checkAssetPath(change.path);
      refuseUnseen(head, wish.base, change.path);
      return filesAt(head, change.path).map(({ path }) => ({ action: "delete", path }));
    }
    case "move": {
      const { from, to } = change;
      checkAssetPath(from);
      checkAssetPath(to);
      refuseUnseen(head, wish.base, from);
      const there = head.listed(to);
      if (there) throw exists(to, "Choose another name, or delete it first.");
      refuseBlocked(head, to);
      return filesAt(head, from).map((entry) => {
        const path = `${to}${entry.path.slice(from.length)}`;
        checkAssetPath(path);
        checkNewTwin(path, (folder) => head.listed(folder) !== undefined);
        return { action: "move", from: entry.path, path };
      });
    }
  }
}

function planWrite(
  head: ListedTree,
  change: Change & { action: "write" },
  { base, replace }: ChangeWish,
): PlannedAction[] {
  const { path, content } = change;
  checkAssetPath(path);
  checkNewTwin(path, (folder) => head.listed(folder) !== undefined);
  const there = head.listed(path);
  if (there === undefined) {
    if (base?.listed(path)) throw changed([path]);
    refuseBlocked(head, path);
    return [{ action: "create", path, content, executable: change.executable ?? false }];
  }
  if (there.kind === "folder") throw exists(path, "There is a folder of this name.");
  const executable = change.executable ?? there.executable;
  const isSame = there.kind === "file" && there.id === blobId(content, there.id.length);
  if (isSame && there.executable === executable) return [];
  if (base) refuseUnseen(head, base, path);
  else if (!replace) {
    throw exists(path, "Say that it is to be replaced, or name the commit you have looked at.");
  }
  if (there.kind !== "file") throw irregular(path);
  return [
    ...(isSame ? [] : [{ action: "update" as const, path, content }]),
    ...(there.executable === executable ? [] : [{ action: "chmod" as const, path, executable }]),
  ];
}

/** Git's id of a file's content, in the hash that ids of this length are made with. */
export function blobId(content: Uint8Array, idLength: number): string {
  const hash = createHash(idLength === 64 ? "sha256" : "sha1");
  return hash.update(`blob ${content.byteLength}\0`).update(content).digest("hex");
}

/** The file at a path, or all files and links below it. */
function filesAt(head: ListedTree, path: string): GitEntry[] {
  const there = head.listed(path);
  if (there === undefined) {
    throw new ActionNeededError("FILE_NOT_FOUND", `There is no ${path}`, {
      where: { file: path },
      hint: "Look at what is there: dtaas library list.",
    });
  }
  const found =
    there.kind === "folder"
      ? head.entries.filter((entry) => entry.kind !== "folder" && entry.path.startsWith(`${path}/`))
      : [there];
  const odd = found.find(({ kind }) => kind === "submodule");
  if (odd) throw irregular(odd.path);
  return found;
}

/** What the caller has seen at this path must be what is there. */
function refuseUnseen(head: ListedTree, base: ListedTree | undefined, path: string): void {
  if (base === undefined) return;
  const now = head.listed(path);
  const then = base.listed(path);
  if (now?.id === then?.id && now?.kind === then?.kind && now?.executable === then?.executable) return;
  if (now?.kind !== "folder" || then?.kind !== "folder") throw changed([path]);
  throw changed(differences(head, base, path));
}

/** Files below a folder that are not the same in both. */
function differences(head: ListedTree, base: ListedTree, folder: string): string[] {
  const below = (tree: ListedTree) =>
    tree.entries.filter((entry) => entry.kind !== "folder" && entry.path.startsWith(`${folder}/`));
  const paths = new Set([...below(head), ...below(base)].map(({ path }) => path));
  return [...paths].filter((path) => {
    const [now, then] = [head.listed(path), base.listed(path)];
    return now?.id !== then?.id || now?.kind !== then?.kind || now?.executable !== then?.executable;
  });
}

/** A file cannot lie in a file. */
function refuseBlocked(head: ListedTree, path: string): void {
  for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
    const parent = path.slice(0, slash);
    const there = head.listed(parent);
    if (there && there.kind !== "folder")
      throw exists(parent, `It is no folder, so ${path} cannot lie in it.`);
  }
}

/** Each path may be named once, and nothing that lies in another: the order of changes must not matter. */
function refuseOverlaps(changes: readonly Change[]): void {
  const named = changes.flatMap((change) =>
    change.action === "move" ? [change.from, change.to] : [change.path],
  );
  const all = new Set<string>();
  const overlap = (path: string) =>
    new ActionNeededError("CHANGES_OVERLAP", `${JSON.stringify(path)} is named twice, or lies in another`, {
      where: { file: path },
      hint: "Name each file or folder once in one commit.",
    });
  for (const path of named) {
    if (all.has(path)) throw overlap(path);
    all.add(path);
  }
  for (const path of named) {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      if (all.has(path.slice(0, slash))) throw overlap(path);
    }
  }
}

function pathOf(change: Change): string {
  return change.action === "move" ? change.from : change.path;
}

function changed(paths: readonly string[]): ActionNeededError {
  const [first = ""] = paths;
  const more = paths.length > 1 ? ` (and ${paths.length - 1} more)` : "";
  return new ActionNeededError("FILE_CHANGED", `${first} has changed since you looked at it${more}`, {
    where: { file: first },
    hint: "Look at it as it is now and try again.",
  });
}

function exists(path: string, hint: string): ActionNeededError {
  return new ActionNeededError("FILE_EXISTS", `There is a ${path} already`, { where: { file: path }, hint });
}

function irregular(path: string): ActionNeededError {
  return new ActionNeededError("FILE_NOT_REGULAR", `${path} is a link or a submodule`, {
    where: { file: path },
    hint: "Change it with git.",
  });
}
