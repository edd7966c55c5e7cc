import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { writeFileAtomic } from "#core/atomic-file";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import { postReceiveHook, preReceiveHook } from "./hook-scripts.ts";

const commandsAtOnce = 16; // short commands; more only fight for the processors
const comparisonsAtOnce = 4; // hostile trees make each of them take 150 MB before it gives up
const defaultDeadlineMs = 60_000;
const maxStderrBytes = 16 * 1024; // enough to see what went wrong
const maxPackBytes = 1024 * 1024 * 1024; // one push; larger ones are refused by git
const oldestGit = { major: 2, minor: 38 }; // the first to take `safe.directory` from the environment

export interface GitResult {
  code: number;
  stdout: Buffer;
  stderr: string;
  /** There was more output than `maxOutputBytes`, or it came too late, and `cut` was asked for. */
  isCut: boolean;
}

export interface GitRun {
  input?: string | Uint8Array;
  /** Beyond this many bytes of output the command is ended and an error thrown. */
  maxOutputBytes?: number;
  /** Beyond `maxOutputBytes` or the deadline the command is ended, and what it printed so far is its answer. */
  cut?: boolean;
  deadlineMs?: number;
  /** Compares trees or merges: few of these run at once. */
  isComparison?: boolean;
  environment?: Readonly<Record<string, string>>;
}

/**
 * The `git` program, never through a shell, with settings of our own only: neither the machine's nor a user's
 * configuration is read. Arguments that come from outside stand behind `--`, in an `--option=value`, or on
 * standard input.
 */
export class Git {
  readonly #base: Readonly<Record<string, string>>;
  readonly #limit = pLimit(commandsAtOnce);
  readonly #comparisons = pLimit(comparisonsAtOnce);

  private constructor(base: Readonly<Record<string, string>>) {
    this.#base = base;
  }

  /**
   * Writes the configuration and the two push hooks into `folder`. `path` is the search path for programs.
   * Throws `ActionNeededError("GIT_MISSING")` where there is no git, or one too old.
   */
  static async prepare(folder: string, path: string): Promise<Git> {
    const hooks = join(folder, "hooks");
    await mkdir(hooks, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(folder, "config"), configuration(hooks));
    await writeFile(join(hooks, "pre-receive"), preReceiveHook, { mode: 0o700 });
    await writeFile(join(hooks, "post-receive"), postReceiveHook, { mode: 0o700 });
    const git = new Git({
      PATH: path,
      HOME: folder,
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: join(folder, "config"),
      GIT_TERMINAL_PROMPT: "0",
      GIT_LITERAL_PATHSPECS: "1",
      GIT_NO_REPLACE_OBJECTS: "1",
    });
    await git.#checkVersion(folder);
    return git;
  }

  async #checkVersion(folder: string): Promise<void> {
    let text = "no git was found";
    try {
      text = (await this.text(folder, ["--version"])).trim();
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
    const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).map(Number);
    if (major > oldestGit.major || (major === oldestGit.major && minor >= oldestGit.minor)) return;
    const wanted = `${oldestGit.major}.${oldestGit.minor}`;
    throw new ActionNeededError("GIT_MISSING", `the forge needs git ${wanted} or newer: ${text}`, {
      hint: "install it, on Debian: apt-get install git",
    });
  }

  /** Starts git on one repository; that folder alone is marked as safe. */
  spawn(
    gitDir: string,
    args: readonly string[],
    options: {
      stdio: SpawnOptions["stdio"];
      environment?: Readonly<Record<string, string>>;
      group?: boolean;
    },
  ): ChildProcess {
    return spawn("git", [...args], {
      cwd: gitDir,
      detached: options.group ?? false,
      stdio: options.stdio ?? "pipe",
      env: {
        ...this.#base,
        GIT_DIR: gitDir,
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: gitDir,
        ...options.environment,
      },
    });
  }

  /** Runs a short command to its end; a non-zero code is an answer, not an error. */
  run(gitDir: string, args: readonly string[], options: GitRun = {}): Promise<GitResult> {
    const limit = options.isComparison ? this.#comparisons : this.#limit;
    return limit(() => this.#run(gitDir, args, options));
  }

  /** As `run`, for commands that have no reason to fail; the text they print. */
  async text(gitDir: string, args: readonly string[], options: GitRun = {}): Promise<string> {
    const result = await this.run(gitDir, args, options);
    if (result.code !== 0) throw new Error(`git ${args[0]} failed (${result.code}): ${result.stderr.trim()}`);
    return result.stdout.toString("utf8");
  }

  #run(gitDir: string, args: readonly string[], options: GitRun): Promise<GitResult> {
    const maxOutputBytes = options.maxOutputBytes ?? 64 * 1024 * 1024;
    return new Promise((resolve, reject) => {
      const child = this.spawn(gitDir, args, {
        stdio: ["pipe", "pipe", "pipe"],
        ...(options.environment && { environment: options.environment }),
      });
      const output: Buffer[] = [];
      let outputBytes = 0;
      let stderr = "";
      let ended: Error | undefined;
      let isCut = false;
      const end = (error: Error) => {
        ended ??= error;
        child.kill("SIGKILL");
      };
      const cut = () => {
        isCut = true;
        child.kill("SIGKILL");
      };
      const deadline = setTimeout(() => {
        if (options.cut) cut();
        else end(new TryLaterError(`git ${args[0]} took too long`, { retryAfterMs: 5_000 }));
      }, options.deadlineMs ?? defaultDeadlineMs);
      child.stdout?.on("data", (chunk: Buffer) => {
        outputBytes += chunk.length;
        if (outputBytes <= maxOutputBytes) output.push(chunk);
        else if (options.cut) cut();
        else end(new Error(`git ${args[0]} printed more than ${maxOutputBytes} bytes`));
      });
      child.stderr?.on("data", (chunk: Buffer) => {
        if (stderr.length < maxStderrBytes) stderr += chunk.toString("utf8");
      });
      child.on("error", (error) => {
        clearTimeout(deadline);
        reject(error);
      });
      child.on("close", (code) => {
        clearTimeout(deadline);
        if (ended) reject(ended);
        else resolve({ code: code ?? 1, stdout: Buffer.concat(output), stderr, isCut });
      });
      child.stdin?.on("error", () => {}); // git may end before it has read everything
      child.stdin?.end(options.input ?? "");
    });
  }
}

function configuration(hooksFolder: string): string {
  return `[core]
	hooksPath = "${hooksFolder.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"
[init]
	defaultBranch = main
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	advertisePushOptions = true
	autogc = false
	fsckObjects = true
	maxInputSize = ${maxPackBytes}
	hideRefs = refs/merge-requests
	hideRefs = refs/pipelines
[receive "fsck"]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
[transfer]
	hideRefs = refs/dtaas
	hideRefs = refs/keep-around
[gc]
	autoDetach = false
`;
}
