import type { ProjectRecord } from "../store/records.ts";

/** The address of a page of a project, such as `tree`, `main`, `src/a b`; every part may hold slashes. */
export function projectPath(project: ProjectRecord, ...parts: readonly (string | number)[]): string {
  const root = `/${encodePath(project.fullPath)}`;
  return parts.length === 0 ? root : `${root}/-/${parts.map((part) => encodePath(String(part))).join("/")}`;
}

/** Everything but slashes is encoded. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
