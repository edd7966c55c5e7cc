import { isUtf8 } from "node:buffer";
import pLimit from "p-limit";
import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing } from "./errors.ts";
import { at, branchHead } from "./projects.ts";
import { checkPlaces, readTree, type TreeFile, type WantedFile } from "./tree.ts";

const maxAttempts = 4; // each time somebody else pushed in between
const blobsAtOnce = 3; // GitHub asks for few writing requests at the same time
const maxInlineBytes = 64 * 1024; // text up to this travels with the tree, and saves a request

export interface CommitPlan {
  branch: string;
  /** Where a branch that is not there begins. */
  start: string;
  message: string;
  /** Says what is to be, given what is; called again when somebody pushed in between. */
  files(there: ReadonlyMap<string, TreeFile>): Promise<ReadonlyMap<string, WantedFile>>;
}

/**
 * One commit by GitHub's Git data API: contents, a tree, a commit, and the branch moved forward to it, or nothing. `commit` is
 * `undefined` when the branch is there and nothing is to be changed. `BRANCH_MOVED` when others pushed again and again.
 */
export async function writeCommit(
  client: GitHubClient,
  project: ForgeProject,
  plan: CommitPlan,
): Promise<{ commit: string | undefined }> {
  const { branch, start, message } = plan;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const head = await branchHead(client, project, branch);
    const parent = head ?? (await branchHead(client, project, start));
    const there = parent === undefined ? undefined : await readTree(client, project, parent);
    if (parent === undefined || there === undefined) {
      throw new ActionNeededError(
        "REPOSITORY_EMPTY",
        `${project.path} has no commit yet, or you may not see it`,
      );
    }
    const wanted = await plan.files(there);
    checkPlaces(there, wanted);
    if (wanted.size === 0 && head !== undefined) return { commit: undefined };
    try {
      const tree = await writeTree(client, project, { base: parent, wanted });
      const asked = { ...at(project), message, tree, parents: [parent] };
      const commit = (await client.rest.git.createCommit(asked)).data.sha;
      await moveBranch(client, project, { branch, isNew: head === undefined, commit });
      return { commit };
    } catch (error) {
      if (!(error instanceof GitHubAnswer)) throw error;
      if (isMissing(error)) throw forbidden(project, error);
      if ((await branchHead(client, project, branch)) === head) throw refused(error);
    }
  }
  throw new ActionNeededError("BRANCH_MOVED", `${branch} has moved in the meantime`, { hint: "Try again." });
}

/** The id of a tree with these changes; contents that are not text, or long, are sent before it. */
export async function writeTree(
  client: GitHubClient,
  project: ForgeProject,
  { base, wanted }: { base: string | undefined; wanted: ReadonlyMap<string, WantedFile> },
): Promise<string> {
  if (wanted.size === 0 && base !== undefined) {
    return (await client.rest.git.getCommit({ ...at(project), commit_sha: base })).data.tree.sha;
  }
  const limit = pLimit(blobsAtOnce);
  const entries = [...wanted].map(async ([path, file]) => {
    if (file === undefined) return { path, mode: "100644" as const, type: "blob" as const, sha: null };
    const { mode } = file;
    const type = mode === "160000" ? ("commit" as const) : ("blob" as const);
    if ("sha" in file) return { path, mode, type, sha: file.sha };
    const { buffer, byteOffset, byteLength } = file.content;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    if (byteLength <= maxInlineBytes && byteLength > 0 && isUtf8(bytes) && !bytes.includes(0)) {
      return { path, mode, type, content: bytes.toString("utf8") };
    }
    const content = bytes.toString("base64");
    const made = await limit(() =>
      client.rest.git.createBlob({ ...at(project), content, encoding: "base64" }),
    );
    return { path, mode, type, sha: made.data.sha };
  });
  const tree = await Promise.all(entries);
  const asked = { ...at(project), tree, ...(base === undefined ? {} : { base_tree: base }) };
  return (await client.rest.git.createTree(asked)).data.sha;
}

async function moveBranch(
  client: GitHubClient,
  project: ForgeProject,
  { branch, isNew, commit: sha }: { branch: string; isNew: boolean; commit: string },
): Promise<void> {
  if (isNew) await client.rest.git.createRef({ ...at(project), ref: `refs/heads/${branch}`, sha });
  else await client.rest.git.updateRef({ ...at(project), ref: `heads/${branch}`, sha, force: false });
}

/** GitHub answers 404 to who may read and not write, too. */
export function forbidden(project: ForgeProject, cause: unknown): ActionNeededError {
  return new ActionNeededError("FORGE_FORBIDDEN", `GitHub does not let you change ${project.path}`, {
    hint: "Ask an owner of the repository for the role Write.",
    cause,
  });
}

export function refused(cause: GitHubAnswer): ActionNeededError {
  return new ActionNeededError("COMMIT_REFUSED", `GitHub refuses the commit: ${cause.message}`, { cause });
}
