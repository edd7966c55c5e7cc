import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

const killAfterMs = 2_000; // between the polite and the forced end of a git process that overran
const maxErrorBytes = 16 * 1024; // of standard error kept for the message

/** Where native git is found and what it inherits: proxies and certificate settings, nothing else. */
export interface GitOptions {
  /** The executable; `git` on the PATH of `environment` by default. */
  command?: string;
  environment?: Record<string, string>;
}

export interface GitCall {
  args: string[];
  gitDir?: string;
  /** Settings for this call only. They travel in the environment, so that a secret is on no command line or disk. */
  config?: Record<string, string>;
  input?: string | Uint8Array;
  signal?: AbortSignal | undefined;
  timeoutMs: number;
  /** Exit codes that are answers, beside 0. */
  answers?: readonly number[];
  /** More output than this ends the call with `GitFailed`. */
  maxOutputBytes: number;
}

/** Git said no, overran its time or wrote too much. */
export class GitFailed extends Error {
  override readonly name = "GitFailed";
  readonly exitCode: number | undefined;
  readonly reason: "exit" | "timeout" | "aborted" | "too-much-output" | "not-found";

  constructor(message: string, reason: GitFailed["reason"], exitCode?: number) {
    super(message);
    this.reason = reason;
    this.exitCode = exitCode;
  }
}

// No setting of the machine, of a user or of a repository can make git run a program or speak another protocol.
const lockedDown: Record<string, string> = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.askPass": "",
  "credential.helper": "",
  "protocol.allow": "never",
  "protocol.http.allow": "always",
  "protocol.https.allow": "always",
  "http.followRedirects": "false", // a header with a token must not travel to another host
  "http.lowSpeedLimit": "1000", // bytes per second ...
  "http.lowSpeedTime": "30", // ... over this many seconds, or the transfer is given up
  "fetch.recurseSubmodules": "false",
  "submodule.recurse": "false",
  "transfer.bundleURI": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
};

/** Starts git without a shell, in a process group of its own, with a clean environment. The caller ends it. */
export function startGit(
  git: GitOptions,
  call: Pick<GitCall, "args" | "gitDir" | "config">,
): ChildProcessWithoutNullStreams {
  const settings = Object.entries({ ...lockedDown, ...call.config });
  const environment: Record<string, string> = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...git.environment,
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_CONFIG_COUNT: String(settings.length),
  };
  for (const [index, [key, value]] of settings.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  const where = call.gitDir === undefined ? [] : [`--git-dir=${call.gitDir}`];
  return spawn(git.command ?? "git", ["--no-pager", ...where, ...call.args], {
    env: environment,
    cwd: "/",
    stdio: ["pipe", "pipe", "pipe"],
    detached: true, // its helpers end with it
  });
}

/** Ends a git process and everything it started; gently first, so that it can remove its temporary files. */
export function endGit(child: ChildProcessWithoutNullStreams): void {
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // the group is gone already
    }
  };
  signalGroup("SIGTERM");
  const timer = setTimeout(() => signalGroup("SIGKILL"), killAfterMs);
  child.once("close", () => clearTimeout(timer));
}

/** Runs git to its end and resolves with its standard output; everything else is `GitFailed`. */
export function runGit(git: GitOptions, call: GitCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (call.signal?.aborted) {
      reject(new GitFailed("git was not started: aborted", "aborted"));
      return;
    }
    const child = startGit(git, call);
    const output: Buffer[] = [];
    let bytes = 0;
    let complaint = "";
    let failure: GitFailed | undefined;
    const giveUp = (error: GitFailed) => {
      failure ??= error;
      endGit(child);
    };
    const what = call.args[0] ?? "";
    const timer = setTimeout(
      () => giveUp(new GitFailed(`git ${what} took longer than ${call.timeoutMs} ms`, "timeout")),
      call.timeoutMs,
    );
    const onAbort = () => giveUp(new GitFailed(`git ${what} was aborted`, "aborted"));
    call.signal?.addEventListener("abort", onAbort, { once: true });

    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > call.maxOutputBytes) {
        giveUp(new GitFailed(`git ${what} wrote more than ${call.maxOutputBytes} bytes`, "too-much-output"));
      } else {
        output.push(chunk);
      }
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (complaint.length < maxErrorBytes) complaint += chunk.toString("utf8");
    });
    child.on("error", (error) => {
      failure ??= new GitFailed(`git cannot be started: ${error.message}`, "not-found");
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", onAbort);
      if (failure) reject(failure);
      else if (code !== 0 && !call.answers?.includes(code ?? -1))
        reject(new GitFailed(lastLines(complaint, what, code), "exit", code ?? undefined));
      else resolve(Buffer.concat(output));
    });
    child.stdin.on("error", () => {}); // git ended before it read everything; its exit code tells
    child.stdin.end(call.input ?? "");
  });
}

function lastLines(complaint: string, what: string, code: number | null): string {
  const lines = complaint.trim().split("\n").slice(-3).join(" / ").slice(0, 500);
  return `git ${what} ended with ${code ?? "a signal"}${lines ? `: ${lines}` : ""}`;
}
