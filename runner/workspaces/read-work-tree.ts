import { printable } from "#schemas/quote";
import type { WorkTree } from "#schemas/workspace-state";

const maxChanged = 50;
const maxPathCharacters = 300;

/**
 * Reads what `git status --porcelain=v2 --branch` printed inside a workspace. It is the user's word and may be anything: what
 * does not look like it is left out. Pure.
 */
export function readWorkTree(output: string, checkedAt: string): WorkTree {
  const tree: WorkTree = { checkedAt, changed: [] };
  for (const line of output.split("\n")) {
    const [, name, value = ""] = /^# branch\.(oid|head|ab) (.{1,255})$/.exec(line) ?? [];
    if (name === "head") tree.branch = printable(value, 100);
    if (name === "oid" && /^[0-9a-f]{40,64}$/.test(value)) tree.commit = value;
    const [, ahead, behind] = /^\+(\d{1,9}) -(\d{1,9})$/.exec(name === "ab" ? value : "") ?? [];
    if (ahead !== undefined && behind !== undefined) {
      tree.ahead = Number(ahead);
      tree.behind = Number(behind);
    }
    const path = pathOf(line);
    if (path !== undefined && tree.changed.length < maxChanged) {
      tree.changed.push(printable(path, maxPathCharacters));
    }
  }
  return tree;
}

/** Of a changed, renamed, conflicting or untracked file. */
function pathOf(line: string): string | undefined {
  const [, ordinary] = /^1 (?:\S+ ){7}(.+)$/.exec(line) ?? [];
  const [, renamed] = /^2 (?:\S+ ){8}(.+?)(?:\t|$)/.exec(line) ?? [];
  const [, conflicting] = /^u (?:\S+ ){9}(.+)$/.exec(line) ?? [];
  const [, untracked] = /^\? (.+)$/.exec(line) ?? [];
  return ordinary ?? renamed ?? conflicting ?? untracked;
}
