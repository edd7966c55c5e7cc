import type { Git } from "../git/git.ts";
import { runBounded } from "../git/run-bounded.ts";

const maxDiffBytes = 16 * 1024 * 1024; // of all files together; those behind it are told without their text
const maxFileDiffBytes = 200 * 1024; // GitLab's: a longer one is told without its text
const deadlineMs = 10_000; // files not compared by then are told without their text
export const maxDiffFiles = 3_000; // GitLab's; files beyond it are not told

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

export interface Diff {
  files: FileDiff[];
  /** There are more files than were told. */
  isOverflow: boolean;
}

/** What changed between two commits or trees, file by file, renames found. With `paths` only of these files. */
export async function readDiff(
  git: Git,
  gitDir: string,
  from: string,
  to: string,
  paths: readonly string[] = [],
): Promise<Diff> {
  const patch = await readPatch(git, gitDir, from, to, paths);
  if (!patch) return { files: [], isOverflow: true };
  const isOverflow = patch.changes.length > maxDiffFiles || patch.isListCut;
  const files = joinDiff(patch.changes, patch.text, patch.isCut);
  return { files: files.slice(0, maxDiffFiles), isOverflow };
}

export interface Patch {
  changes: Change[];
  /** The list of changes ended early. */
  isListCut: boolean;
  /** As git prints it. */
  text: string;
  isCut: boolean;
}

/** As `readDiff`, in git's own words; `undefined` where so much differs that git cannot be let look at it. */
export async function readPatch(
  git: Git,
  gitDir: string,
  from: string,
  to: string,
  paths: readonly string[] = [],
): Promise<Patch | undefined> {
  const compared = ["diff-tree", "-r", "-z", "--full-index", "--no-ext-diff", "--no-textconv"];
  // Looking for renames may take all the time there is; then they are told as removed and added.
  for (const renames of ["-M", "--no-renames"]) {
    const args = [...compared, renames, "--patch-with-raw", from, to, "--", ...paths];
    const run = { compared: [[from, to]] as const, deadlineMs, maxOutputBytes: maxDiffBytes, cut: true };
    const result = await runBounded(git, gitDir, args, run);
    if (!result) return undefined;
    const isCut = result.isCut || result.code !== 0;
    if (!isCut || result.stdout.length > 0) return splitPatch(result.stdout.toString("utf8"), isCut);
  }
  return undefined;
}

/** An empty field ends the list. */
function splitPatch(output: string, isCut: boolean): Patch {
  const end = output.indexOf("\0\0");
  const changes = parseRaw(end < 0 ? output : output.slice(0, end));
  const isListCut = isCut && end < 0;
  if (isListCut) changes.pop(); // its name may not be whole
  return { changes, isListCut, text: end < 0 ? "" : output.slice(end + 2), isCut };
}

export type Change = Omit<FileDiff, "text" | "isTooLarge">;

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
