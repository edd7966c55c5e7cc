import type { ListedEntry } from "./check-listing.ts";
import { maxLinkHops, maxLinkSteps } from "./tree-limits.ts";

/** What stands at a path of a listing; links are not followed. */
export interface LinkedListing {
  kind(path: string): ListedEntry["kind"] | undefined;
  /** Where a link points; `undefined` when that cannot be said. */
  target(path: string): string | undefined;
}

/**
 * Where a path ends when every link on the way is followed as the kernel would, on the listing instead of the disk.
 * What is not in the listing counts as a plain name: it cannot lead anywhere else. A way out of the repository, a
 * circle or an unusable target is a fault.
 */
export function followLinks(
  path: string,
  listing: LinkedListing,
): { path: string; fault?: undefined } | { path?: undefined; fault: string } {
  let at = "";
  const ahead = path.split("/").reverse(); // the next name is last
  let hops = 0;
  let steps = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    steps += 1;
    if (steps > maxLinkSteps) return { fault: "The link leads through too many folders" };
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (at === "") return { fault: "The link leads out of the repository" };
      at = at.slice(0, Math.max(at.lastIndexOf("/"), 0));
      continue;
    }
    const here = at === "" ? name : `${at}/${name}`;
    if (listing.kind(here) !== "link") {
      at = here;
      continue;
    }
    hops += 1;
    if (hops > maxLinkHops) return { fault: "The link goes in a circle or through too many others" };
    const target = listing.target(here);
    if (target === undefined || target === "" || target.includes("\0")) {
      return { fault: "The link has no usable target" };
    }
    if (target.startsWith("/")) return { fault: "The link is absolute" };
    if (target.includes("\\")) return { fault: "The link has a backslash in its target" };
    ahead.push(...target.split("/").reverse());
  }
  return { path: at };
}
