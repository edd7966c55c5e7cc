import { emptyTree } from "./empty-tree.ts";
import type { Git } from "./git.ts";
import { mergeBase } from "./merge-base.ts";
import { isObjectId } from "./ref-name.ts";
import { runBounded } from "./run-bounded.ts";
import { type Signature, writeCommit } from "./write-commit.ts";

const deadlineMs = 15_000; // for one merge; one that takes longer counts as a conflict
const maxOutputBytes = 1024 * 1024; // names of files in conflict; the rest is not told
const maxConflicts = 100; // named; people look at a few

const nobody: Signature = { name: "forge", email: "forge@localhost", seconds: 0, zone: "+0000" };

export interface MergedTree {
  /** `undefined` where people have to decide. */
  tree: string | undefined;
  conflicts: string[];
}

/** Merges two commits without a work tree; no ref moves. What cannot be merged within bounds is a conflict. */
export async function mergeCommits(
  git: Git,
  gitDir: string,
  ours: string,
  theirs: string,
): Promise<MergedTree> {
  const base = await mergeBase(git, gitDir, [ours, theirs]);
  if (base === undefined) return { tree: undefined, conflicts: [] };
  return await mergeFrom(git, gitDir, base, ours, theirs);
}

/**
 * What `onto` becomes when the step from one tree to another is made there: a commit picked, or with both sides exchanged one
 * taken back. All three are commits or trees; `from` is `undefined` for a first commit.
 */
export async function applyStep(
  git: Git,
  gitDir: string,
  step: { from: string | undefined; to: string; onto: string },
): Promise<MergedTree> {
  // git merges commits only, so the three trees become commits that nothing leads to.
  const make = (tree: string, parents: string[]) =>
    writeCommit(git, gitDir, { tree, parents, author: nobody, committer: nobody, message: "" });
  const base = await make(step.from ?? emptyTree, []);
  const [ours, theirs] = [await make(step.onto, [base]), await make(step.to, [base])];
  return await mergeFrom(git, gitDir, base, ours, theirs);
}

async function mergeFrom(
  git: Git,
  gitDir: string,
  base: string,
  ours: string,
  theirs: string,
): Promise<MergedTree> {
  const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
  const compared = [
    [base, ours],
    [base, theirs],
  ] as const;
  const run = { compared, deadlineMs, maxOutputBytes, cut: true };
  const merged = await runBounded(git, gitDir, args, run);
  const [tree = "", ...names] = (merged?.stdout.toString("utf8") ?? "").split("\0");
  if (merged?.code === 0 && !merged.isCut && isObjectId(tree)) return { tree, conflicts: [] };
  const conflicts = [...new Set(names.filter((name) => name !== ""))];
  return { tree: undefined, conflicts: conflicts.slice(0, maxConflicts) };
}
