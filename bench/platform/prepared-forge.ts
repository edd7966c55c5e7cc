import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import type { ChildSettings } from "#cli/up/child-environments";
import { access } from "#cli/up/forge-admin";
import { botName, group } from "#cli/up/seed";
import { createLogger } from "#core/logger";
import { startForge } from "#embedded/forge/start-forge";
import { type Files, writeCommits } from "./write-commits.ts";

const fillsAtOnce = 4;

export interface PreparedProject {
  id: number;
  /** Full path. */
  path: string;
  /** Last part of it: the user. */
  name: string;
  gitDir: string;
  /** What the default branch points to now. */
  head: string;
  /** Commits in the repository that no branch points to yet, oldest first. */
  next: string[];
}

/**
 * Fills the data folder of an embedded forge that does not run yet: the platform's account, the shared projects, and
 * one project for each name with a commit for each list of files. The first is the head, the others are prepared. With
 * `shared`, these are the commits of the common repository, and each name is a user who may read it.
 */
export async function prepareForge(
  settings: ChildSettings,
  names: readonly string[],
  commitsOf: (name: string) => [Files, ...Files[]],
  shared?: [Files, ...Files[]],
): Promise<{ projects: PreparedProject[]; common: PreparedProject }> {
  const dataFolder = join(settings.dataFolder, "forge");
  await mkdir(dataFolder, { recursive: true });
  const forge = await startForge({ dataFolder, logger: createLogger("prepare", "silent") });
  const { admin } = forge;
  const scopes = ["api", "read_repository", "write_repository"];
  await admin.ensureUser({ username: "root", name: "Administrator", admin: true });
  await admin.ensureUser({ username: botName, name: botName });
  const token = await admin.ensureToken(botName, "platform", scopes);
  settings.secrets.accounts[botName] = { password: "", token };
  await admin.ensureGroup(group);
  await admin.ensureMember(group, botName, access.maintainer);
  const common = await admin.ensureProject(`${group}/common`);
  const made: { id: number; fullPath: string; path: string }[] = [];
  for (const name of names) made.push(await admin.ensureProject(`${group}/${name}`));
  for (const name of shared ? names : []) {
    await admin.ensureUser({ username: name, name });
    await admin.ensureMember(common.fullPath, name, access.reporter);
  }
  await forge.close();

  const gitDirOf = (id: number) => join(dataFolder, "repositories", `${id}.git`);
  const prepare = async (
    { id, fullPath, path }: { id: number; fullPath: string; path: string },
    commits: readonly Files[],
  ) => {
    const gitDir = gitDirOf(id);
    const [head = "", ...next] = await writeCommits(gitDir, commits);
    return { id, path: fullPath, name: path, gitDir, head, next };
  };
  const limit = pLimit(fillsAtOnce);
  return {
    common: await prepare(common, shared ?? [{ "README.md": "Shared assets\n" }]),
    projects: await Promise.all(made.map((one) => limit(() => prepare(one, commitsOf(one.path))))),
  };
}

/** Lets the default branch point to the next prepared commit, without a push: nobody is told. */
export async function advance(project: PreparedProject): Promise<string> {
  const commit = project.next.shift();
  if (commit === undefined) throw new Error(`${project.path} has no further commit`);
  const ref = join(project.gitDir, "refs", "heads", "main");
  await writeFile(`${ref}.next`, `${commit}\n`);
  await rename(`${ref}.next`, ref);
  project.head = commit;
  return commit;
}
