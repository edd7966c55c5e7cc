import type { ForgeProject } from "../forge.ts";
import type { ChangedFile, MergeRequestDiff } from "../forge-merge-requests.ts";
import { diffLines } from "../unified-diff.ts";
import type { GitLabClient } from "./client.ts";

const maxFiles = 1_000; // what lies beyond is found in the comment; GitLab itself shows no more than 3,000

interface DiffReply {
  old_path: string;
  new_path: string;
  diff?: string | null;
  deleted_file?: boolean;
}

interface VersionReply {
  base_commit_sha: string;
  start_commit_sha: string;
  head_commit_sha: string;
  created_at: string;
}

/** The newest version of a merge request's diff, with the lines that it shows. */
export async function readDiff(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
): Promise<MergeRequestDiff> {
  // Newest first. One is made a moment after each push.
  const [newest] = (await client.mergeRequests.allDiffVersions(project.id, iid)) as unknown as VersionReply[];
  const diffs = (await client.mergeRequests.allDiffs(project.id, iid, {
    perPage: 100,
    maxPages: maxFiles / 100,
  })) as unknown as DiffReply[];
  return {
    version: {
      base: newest?.base_commit_sha ?? "",
      start: newest?.start_commit_sha ?? "",
      head: newest?.head_commit_sha ?? "",
    },
    since: newest?.created_at ?? "",
    files: diffs
      .filter(({ deleted_file }) => deleted_file !== true)
      .map(
        ({ old_path, new_path, diff }): ChangedFile => ({
          oldPath: old_path,
          newPath: new_path,
          lines: diffLines(diff ?? ""),
        }),
      ),
  };
}
