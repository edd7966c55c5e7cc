/** How GitLab calls an archive and the folder in it: `plant-main-<commit id>`, with the path behind it where one is asked for. */
export function archiveName(wanted: { project: string; ref: string; commit: string; path: string }): string {
  const parts = [wanted.project, wanted.ref, wanted.commit, wanted.path].filter((part) => part !== "");
  return parts.join("-").replace(/[^\w.-]/g, "-");
}
