import { execFile } from "node:child_process";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ReadOnlyMount } from "../engine.ts";

const run = promisify(execFile);
const probeDeadlineMs = 5_000;
/** Where commands of twins are looked for. */
export const commandPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Not shown in a sandbox, or replaced by something of its own: home folders, sockets of services, other mounts.
const notShown = new Set([
  ...["proc", "sys", "dev", "tmp", "run", "workspace", "home", "root", "mnt", "media", "boot"],
  ...["var", "srv", "lost+found"],
]);
const devices = ["null", "zero", "full", "random", "urandom"];

export interface Sandbox {
  layerFolder: string;
  mounts?: readonly ReadOnlyMount[];
  runFolder?: string;
  /** Not to be seen inside, wherever it lies. */
  dataFolder: string;
  /** Inside. */
  workingDir: string;
}

/** The version of a bubblewrap that really works here, or why there is none. */
export async function probeBubblewrap(): Promise<{ version: string } | { reason: string }> {
  const options = { env: { PATH: commandPath }, timeout: probeDeadlineMs };
  try {
    const { stdout } = await run("bwrap", ["--version"], options);
    const sandbox = await sandboxArguments({
      layerFolder: "/usr",
      dataFolder: "/nonexistent",
      workingDir: "/workspace",
    });
    await run("bwrap", [...sandbox, "sh", "-c", "test -d /workspace && test -r /proc/self/stat"], options);
    await run("nsenter", ["--version"], options); // to get into it later
    return { version: stdout.trim() };
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT") return { reason: "bubblewrap is not installed" };
    return { reason: `bubblewrap does not work here: ${(stderr ?? String(error)).trim().slice(0, 200)}` };
  }
}

/** What comes before the command: namespaces of its own, a read-only root, and /workspace. */
export async function sandboxArguments(sandbox: Sandbox): Promise<string[]> {
  const shown = await shownRoot(sandbox.dataFolder);
  return [
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"],
    ...["--cap-drop", "ALL"],
    ...shown,
    ...["--proc", "/proc", "--tmpfs", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp", "--tmpfs", "/run"],
    ...["--tmpfs", "/var", "--dir", "/var/tmp"],
    ...["--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve"],
    ...devices.flatMap((name) => ["--dev-bind", `/dev/${name}`, `/dev/${name}`]),
    ...["--symlink", "/proc/self/fd", "/dev/fd", "--symlink", "/proc/self/fd/1", "/dev/stdout"],
    ...["--symlink", "/proc/self/fd/0", "/dev/stdin", "--symlink", "/proc/self/fd/2", "/dev/stderr"],
    ...["--bind", sandbox.layerFolder, "/workspace"],
    ...(sandbox.mounts ?? []).flatMap(({ source, target }) => ["--ro-bind", source, target]),
    ...(sandbox.runFolder ? ["--ro-bind", sandbox.runFolder, "/run/dtaas"] : []),
    ...["--remount-ro", "/", "--chdir", sandbox.workingDir, "--"],
  ];
}

/** The top of the machine's file system, read-only; the data folder stays out of sight. */
async function shownRoot(folder: string): Promise<string[]> {
  const dataFolder = await realpath(folder).catch(() => folder);
  const shown: string[] = [];
  for (const name of (await readdir("/")).sort()) {
    if (notShown.has(name)) continue;
    const path = join("/", name);
    const found = await lstat(path);
    if (found.isSymbolicLink()) shown.push("--symlink", await readlink(path), path);
    else if (found.isDirectory()) shown.push("--ro-bind", path, path);
    if (dataFolder.startsWith(`${path}/`)) shown.push("--tmpfs", dataFolder);
  }
  return shown;
}

/** A command in the sandbox whose first process is `pid`, with as few rights as everything in there. */
export function enterArguments(pid: number, workingDir: string, command: readonly string[]): string[] {
  return [
    ...["nsenter", "--target", String(pid), "--user", "--preserve-credentials"],
    ...["--mount", "--pid", "--ipc", "--uts", "--"],
    ...["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"],
    ...["sh", "-c", 'cd "$0" && exec "$@"', workingDir, ...command],
  ];
}
