import type { Git } from "../git/git.ts";

const maxDiffBytes = 16 * 1024 * 1024; // of all files together; those behind it are told without their text
const maxFileDiffBytes = 200 * 1024; // GitLab's: a longer one is told without its text

export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

export interface FileDiff {
  /** Added, deleted, modified, renamed, copied or of another type. */
  status: string;
  oldPath: string;
  newPath: string;
  oldMode: string;
  newMode: string;
  /** From the first `@@` on, or that binary files differ; empty where nothing but the name or mode changed. */
  text: string;
  isTooLarge: boolean;
}

/** What changed between two commits or trees, file by file, renames found. */
export async function readDiff(git: Git, gitDir: string, from: string, to: string): Promise<FileDiff[]> {
  const compared = ["diff-tree", "-r", "-M", "-z", "--full-index", "--no-ext-diff", "--no-textconv"];
  const [raw, patch] = await Promise.all([
    git.text(gitDir, [...compared, "--raw", from, to, "--"]),
    git.run(gitDir, [...compared, "--patch", from, to, "--"], { maxOutputBytes: maxDiffBytes, cut: true }),
  ]);
  return joinDiff(parseRaw(raw), patch.stdout.toString("utf8"), patch.isCut);
}

type Change = Omit<FileDiff, "text" | "isTooLarge">;

/** Reads `git diff-tree --raw -z`. */
export function parseRaw(text: string): Change[] {
  const changes: Change[] = [];
  const fields = text.split("\0");
  for (let index = 0; index < fields.length; index++) {
    const match = /^:(\d{6}) (\d{6}) [0-9a-f]+ [0-9a-f]+ ([A-Z])\d*$/.exec(fields[index] ?? "");
    const [, oldMode, newMode, status] = match ?? [];
    if (!oldMode || !newMode || !status) continue;
    const oldPath = fields[++index] ?? "";
    const newPath = status === "R" || status === "C" ? (fields[++index] ?? "") : oldPath;
    changes.push({ status, oldPath, newPath, oldMode: shortMode(oldMode), newMode: shortMode(newMode) });
  }
  return changes;
}

/** GitLab says `0` for the mode of a file that is not there. */
function shortMode(mode: string): string {
  return mode === "000000" ? "0" : mode;
}

/** Puts the texts of a patch to the changes they belong to: git writes both in the same order. */
export function joinDiff(changes: readonly Change[], patch: string, isCut: boolean): FileDiff[] {
  // Within a file's part no line begins with a letter but those of its head, so this finds heads only.
  const parts = patch.split(/^(?=diff --git )/m).filter((part) => part !== "");
  if (isCut) parts.pop(); // the last one is not whole
  const wanted = changes.reduce((sum, change) => sum + (change.status === "T" ? 2 : 1), 0);
  // A file name with a line break in it could look like a head. Then no text is better than a wrong one.
  const usable = parts.length === wanted || (isCut && parts.length < wanted) ? parts : [];
  let next = 0;
  return changes.map((change) => {
    const own = usable.slice(next, next + (change.status === "T" ? 2 : 1));
    next += change.status === "T" ? 2 : 1;
    const text = own.map(withoutHead).join("");
    const isTooLarge = own.length === 0 || Buffer.byteLength(text) > maxFileDiffBytes;
    return { ...change, text: isTooLarge ? "" : text, isTooLarge };
  });
}

function withoutHead(part: string): string {
  const start = part.search(/^(@@ |Binary files )/m);
  return start < 0 ? "" : part.slice(start);
}
