import type { Git } from "../git/git.ts";

export interface TreeEntry {
  mode: string;
  type: "tree" | "blob" | "commit";
  id: string;
  path: string;
}

const pathsPerCommand = 200; // keeps a command line well below the system's limit

/** The entries at exactly these paths; what is not there is left out. */
export async function treeEntries(
  git: Git,
  gitDir: string,
  commit: string,
  paths: readonly string[],
): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  for (let start = 0; start < paths.length; start += pathsPerCommand) {
    const some = paths.slice(start, start + pathsPerCommand);
    const text = await git.text(gitDir, ["ls-tree", "-z", "--full-tree", commit, "--", ...some]);
    found.push(...parseTree(text));
  }
  return found;
}

/** What lies in a folder (`""` for the root), below it too when `recursive`; `undefined` for no such folder. */
export async function listTree(
  git: Git,
  gitDir: string,
  commit: string,
  options: { path: string; recursive: boolean },
): Promise<TreeEntry[] | undefined> {
  const { path, recursive } = options;
  if (path !== "") {
    const [entry] = await treeEntries(git, gitDir, commit, [path]);
    if (entry?.type !== "tree") return undefined;
  }
  const flags = recursive ? ["-r", "-t"] : [];
  const scope = path === "" ? [] : [`${path}/`];
  const text = await git.text(gitDir, ["ls-tree", "-z", "--full-tree", ...flags, commit, "--", ...scope]);
  return parseTree(text).filter((entry) => entry.path !== path && entry.path.startsWith(scope[0] ?? ""));
}

function parseTree(text: string): TreeEntry[] {
  return text.split("\0").flatMap((line) => {
    const match = /^(\d{6}) (tree|blob|commit) ([0-9a-f]{40})\t(.+)$/s.exec(line);
    const [, mode, type, id, path] = match ?? [];
    return mode && type && id && path ? [{ mode, type: type as TreeEntry["type"], id, path }] : [];
  });
}
