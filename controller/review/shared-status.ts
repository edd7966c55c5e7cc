import { type AssetFolder, mergeAssets } from "#planning/merge-assets";
import type { CommitStatus } from "../forge/forge.ts";

const maxDescription = 255; // what Git hosts show
const name = "dtaas/shared";

/** The platform's shared repositories, in order of precedence. */
export type SharedAtHead = readonly { project: string; tree: AssetFolder }[];

/**
 * What the commit status of a shared repository says: how many of its assets are seen, and which are hidden behind those
 * of an earlier one. A user's own `common/` folder may hide more. Pure.
 */
export function sharedStatus(
  project: string,
  shared: SharedAtHead,
): Pick<CommitStatus, "name" | "state" | "description"> {
  const { assets, hidden } = mergeAssets(shared.map(({ tree }) => tree));
  const at = shared.findIndex((one) => one.project === project);
  const seen = assets.filter(({ from }) => from === at).length;
  const behind = hidden
    .filter(({ from }) => from === at)
    .map((one) => `${one.path} (${shared[one.behind]?.project ?? ""})`);
  const text = `${seen} assets are seen`;
  const remark = behind.length === 0 ? "" : `; hidden behind earlier repositories: ${behind.join(", ")}`;
  return { name, state: "success", description: shorten(text + remark) };
}

/** The status of a commit that may not be checked out. */
export function brokenSharedStatus(problem: string): Pick<CommitStatus, "name" | "state" | "description"> {
  return { name, state: "failed", description: shorten(`${problem} - the commit before is still seen`) };
}

function shorten(text: string): string {
  return text.length <= maxDescription ? text : `${text.slice(0, maxDescription - 3)}...`;
}
