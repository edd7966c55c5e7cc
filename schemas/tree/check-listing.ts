import { followLinks } from "./follow-links.ts";
import {
  maxNameBytes,
  maxPathBytes,
  maxTreeBytes,
  maxTreeEntries,
  maxTreeFiles,
  maxTreeLinks,
} from "./tree-limits.ts";

const maxBytesPerUnit = 3; // UTF-8 bytes of one unit of a string

/** One name of a tree, as far as it is judged here. */
export interface ListedEntry {
  /** Full path with `/`, no leading one. */
  path: string;
  kind: "file" | "folder" | "link" | "submodule";
  /** Of a file or the target of a link; 0 otherwise. */
  bytes: number;
}

/** Why a tree is not checked out, at the path where the fault lies (empty for the tree as a whole). */
export interface TreeProblem {
  path: string;
  message: string;
  hint: string;
}

/**
 * Everything that forbids writing this tree to disk. Names are judged as Linux, Windows and macOS would read them,
 * so that no tool which later reads the snapshot finds a `.git` or a way out in it. Two names that differ in case only
 * are fine: the disk keeps them apart. Links are judged by `checkLinks`.
 */
export function checkListing(entries: readonly ListedEntry[]): TreeProblem[] {
  const problems: TreeProblem[] = [];
  const kinds = new Map<string, ListedEntry["kind"]>([["", "folder"]]);
  let files = 0;
  let links = 0;
  let bytes = 0;
  for (const entry of entries) {
    const refuse = (message: string, hint: string) => problems.push({ path: entry.path, message, hint });
    const slash = entry.path.lastIndexOf("/");
    const name = entry.path.slice(slash + 1);
    const fault = slash === 0 ? leadsElsewhere : nameFault(name); // no folder has an empty name
    if (fault) refuse(fault, "Rename it.");
    if (entry.path.length * maxBytesPerUnit > maxPathBytes && Buffer.byteLength(entry.path) > maxPathBytes) {
      refuse(`The path is longer than ${maxPathBytes} bytes`, "Use shorter names or fewer folders.");
    }
    if (kinds.has(entry.path))
      refuse("The name is there twice", "Repair the repository: `git fsck` names the tree.");
    if (kinds.get(entry.path.slice(0, Math.max(slash, 0))) !== "folder") {
      refuse("It lies in something that is no folder", "Repair the repository: `git fsck` names the tree.");
    }
    kinds.set(entry.path, entry.kind);
    if (entry.kind === "submodule") {
      refuse(
        "It is a submodule or a special file",
        "Copy the files in, or use a shared-asset repository: only files, folders and links are checked out.",
      );
    }
    if (entry.kind === "link") links += 1;
    if (entry.kind === "link" && entry.bytes > maxPathBytes) {
      refuse(`The link's target is longer than ${maxPathBytes} bytes`, "Point the link at a shorter path.");
    }
    if (entry.kind === "file" || entry.kind === "link") {
      files += 1;
      bytes += entry.bytes;
    }
  }
  const tooLarge = (message: string) =>
    problems.push({ path: "", message, hint: "Keep generated and large files out of Git." });
  if (entries.length > maxTreeEntries) tooLarge(`The repository has more than ${maxTreeEntries} names`);
  if (files > maxTreeFiles) tooLarge(`The repository has ${files} files, more than ${maxTreeFiles}`);
  if (links > maxTreeLinks) tooLarge(`The repository has ${links} links, more than ${maxTreeLinks}`);
  if (bytes > maxTreeBytes) tooLarge(`The files have ${bytes} bytes together, more than ${maxTreeBytes}`);
  return problems;
}

/** Links that leave the repository, go in a circle or through too many others. */
export function checkLinks(
  entries: readonly ListedEntry[],
  targets: ReadonlyMap<string, string>,
): TreeProblem[] {
  const kinds = new Map(entries.map((entry) => [entry.path, entry.kind]));
  const listing = { kind: (path: string) => kinds.get(path), target: (path: string) => targets.get(path) };
  return entries.flatMap((entry) => {
    const fault = entry.kind === "link" ? followLinks(entry.path, listing).fault : undefined;
    if (fault === undefined) return [];
    const hint = "Let the link point, relatively, to something inside the same repository.";
    return [{ path: entry.path, message: fault, hint }];
  });
}

const leadsElsewhere = "The name leads elsewhere";

const plainName = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(?<!\.)$/; // nothing in it that any system reads otherwise

/** Why a file or folder may not be called so; `undefined` for a good name. */
export function nameFault(name: string): string | undefined {
  if (plainName.test(name)) return undefined;
  if (name === "" || name === "." || name === "..") return leadsElsewhere;
  if (/\p{Cc}/u.test(name)) return "The name holds a control character";
  if (name.includes("\\")) return "The name holds a backslash";
  if (Buffer.byteLength(name) > maxNameBytes) return `The name is longer than ${maxNameBytes} bytes`;
  if (readsAsGitFolder(name)) return "The name is, or reads on some system as, .git";
  return undefined;
}

/** `.git` in any case, its short names on Windows, and what Windows and macOS leave out when they compare. */
function readsAsGitFolder(name: string): boolean {
  const plain = name
    .normalize("NFKC")
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad]/gu, "") // ignored by HFS+
    .replace(/:.*$/u, "") // an NTFS stream
    .replace(/[ .]+$/u, "") // ignored by Windows at the end
    .toLowerCase();
  return plain === ".git" || /^git~\d+$/.test(plain);
}
