import { ActionNeededError } from "#core/errors";
import type { FileAction, ForgeProject, NewCommit } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing } from "./errors.ts";
import { at, findProject } from "./projects.ts";
import { readTree, type TreeFile, type WantedFile } from "./tree.ts";
import { forbidden, refused, writeCommit, writeTree } from "./write-commit.ts";

const firstBranch = "main"; // of a repository without commits

/**
 * One commit with all actions; see `Forge.commit`. A file counts as changed when its content or mode is another one than at the
 * commit that the caller names.
 */
export async function commit(
  client: GitHubClient,
  project: ForgeProject,
  wanted: Omit<NewCommit, "token">,
): Promise<{ commit: string }> {
  const known = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch;
  if (known === undefined) return await firstCommit(client, project, wanted);
  const { newBranch = known, message } = wanted;
  const trees = new Map<string, Map<string, TreeFile> | undefined>();
  const treeAt = async (id: string) => {
    if (!trees.has(id)) trees.set(id, await readTree(client, project, id));
    return trees.get(id);
  };
  const files = (there: ReadonlyMap<string, TreeFile>) => carryOut(wanted.actions, there, treeAt);
  const made = await writeCommit(client, project, { branch: newBranch, start: known, message, files });
  if (made.commit !== undefined) return { commit: made.commit };
  throw new ActionNeededError("COMMIT_REFUSED", "The commit would change nothing");
}

/** What the actions make of the files that are there; `FILE_CHANGED` where one is not as its action expects. */
async function carryOut(
  actions: readonly FileAction[],
  there: ReadonlyMap<string, TreeFile>,
  treeAt: (commit: string) => Promise<ReadonlyMap<string, TreeFile> | undefined>,
): Promise<Map<string, WantedFile>> {
  const wanted = new Map<string, WantedFile>();
  const now = (path: string) => (wanted.has(path) ? wanted.get(path) : there.get(path));
  /** The file, as it was at that commit and still is. */
  const unchanged = async (path: string, lastCommit: string): Promise<NonNullable<WantedFile>> => {
    const file = now(path);
    if (file === undefined) throw changed(path);
    if (wanted.has(path)) return file; // by an action before this one
    const before = (await treeAt(lastCommit))?.get(path);
    if (!("sha" in file) || before?.sha !== file.sha || before.mode !== file.mode) throw changed(path);
    return file;
  };
  const free = (path: string) => {
    if (now(path) !== undefined) throw changed(path);
  };
  for (const action of actions) {
    const { path } = action;
    switch (action.action) {
      case "create":
        free(path);
        wanted.set(path, { mode: action.executable ? "100755" : "100644", content: action.content });
        break;
      case "update":
        wanted.set(path, { mode: (await unchanged(path, action.lastCommit)).mode, content: action.content });
        break;
      case "delete":
        await unchanged(path, action.lastCommit);
        wanted.set(path, undefined);
        break;
      case "move": {
        const file = await unchanged(action.from, action.lastCommit);
        free(path);
        wanted.set(action.from, undefined);
        wanted.set(path, file);
        break;
      }
      case "chmod": {
        const file = now(path);
        if (file === undefined) throw changed(path);
        wanted.set(path, { ...file, mode: action.executable ? "100755" : "100644" });
      }
    }
  }
  // What came and went within this commit never was: GitHub refuses to take away what is not there.
  for (const [path, file] of wanted) if (file === undefined && !there.has(path)) wanted.delete(path);
  return wanted;
}

/**
 * GitHub makes the first commit of a repository by its contents API only, with one file; the commit that was wanted then takes
 * its place.
 */
async function firstCommit(
  client: GitHubClient,
  project: ForgeProject,
  { actions, message, newBranch = firstBranch }: Omit<NewCommit, "token">,
): Promise<{ commit: string }> {
  const wanted = await carryOut(actions, new Map(), async () => undefined);
  const [first] = wanted;
  if (newBranch !== firstBranch || first === undefined) {
    throw new ActionNeededError(
      "COMMIT_REFUSED",
      `${project.path} has no commit yet: the first one makes files on main`,
    );
  }
  const [path, file] = first;
  const bytes = file !== undefined && "content" in file ? file.content : new Uint8Array();
  try {
    const content = Buffer.from(bytes).toString("base64");
    const asked = { ...at(project), path, message, content, branch: firstBranch };
    const made = (await client.rest.repos.createOrUpdateFileContents(asked)).data.commit.sha ?? "";
    if (wanted.size === 1 && file?.mode === "100644") return { commit: made };
    const tree = await writeTree(client, project, { base: undefined, wanted });
    const whole = (await client.rest.git.createCommit({ ...at(project), message, tree, parents: [] })).data
      .sha;
    await client.rest.git.updateRef({ ...at(project), ref: `heads/${firstBranch}`, sha: whole, force: true });
    return { commit: whole };
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    throw isMissing(error) ? forbidden(project, error) : refused(error);
  }
}

function changed(path: string): ActionNeededError {
  return new ActionNeededError("FILE_CHANGED", `${path} has changed in the meantime`, {
    where: { file: path },
    hint: "Look at the file as it is now and try again.",
  });
}
