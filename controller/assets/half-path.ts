import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";

/**
 * Where unfinished and half removed snapshots lie, beside the folders of projects: those are mounted, and whoever looks into
 * them sees whole snapshots only. On the same file system, so that a rename brings one in or takes it away.
 */
export function halfFolder(data: DataFolder): string {
  return join(data.snapshots, ".half");
}

/** A name of its own for what is not whole yet, or not any more. */
export function halfPath(data: DataFolder, name: string): string {
  return join(halfFolder(data), `${name}-${randomBytes(4).toString("hex")}`);
}
