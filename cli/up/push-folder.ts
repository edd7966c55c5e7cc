import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ActionNeededError } from "#core/errors";
import { systemPath } from "#embedded/processes/find-command";
import { runCommand } from "#embedded/processes/run-command";

const deadlineMs = 60_000;

export interface Author {
  username: string;
  name: string;
  token: string;
}

/** Pushes the content of a folder as the first commit of an empty repository, with real `git`. The token is on no command line. */
export async function pushFolder(options: {
  folder: string;
  gitUrl: string;
  branch: string;
  message: string;
  author: Author;
}): Promise<void> {
  const { author, branch } = options;
  const work = await mkdtemp(join(tmpdir(), "dtaas-seed-"));
  const tree = join(work, "tree");
  const credentials = Buffer.from(`${author.username}:${author.token}`).toString("base64");
  const environment: Record<string, string> = {
    PATH: systemPath,
    HOME: work, // nothing of this machine's own git settings
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: `${author.username}@users.invalid`,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: `${author.username}@users.invalid`,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "http.extraHeader",
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${credentials}`,
  };
  try {
    await cp(options.folder, tree, { recursive: true, filter: (path) => basename(path) !== "__pycache__" });
    for (const args of [
      ["init", "--quiet", `--initial-branch=${branch}`],
      ["add", "--all", "--force"],
      ["commit", "--quiet", "--message", options.message],
      ["push", "--quiet", options.gitUrl, `HEAD:refs/heads/${branch}`],
    ]) {
      const result = await runCommand("git", ["-C", tree, ...args], { environment, deadlineMs });
      if (result.code === 0) continue;
      throw new ActionNeededError(
        "SEED_FAILED",
        `git ${args[0]} failed: ${result.lines.slice(-3).join("; ")}`,
        {
          hint: "see the forge's log in <data>/logs/forge.log",
        },
      );
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
