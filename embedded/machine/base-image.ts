import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { ActionNeededError, messageOf } from "#core/errors";
import { callEngine, type EngineAnswer } from "../engine/call-engine.ts";
import type { EngineAddress } from "../engine/engine-address.ts";
import { runCommand } from "../processes/run-command.ts";
import { aptProxies, aptSources, chooseMirror } from "./apt.ts";

/** What all workspace images start from. */
export const baseImage = { name: "dtaas/base:bookworm", label: "dtaas.base", suite: "bookworm" } as const;

const pullIdleMs = 10_000; // a registry that can be reached answers sooner
const importIdleMs = 120_000; // unpacking 150 MB on a slow disk
const debootstrapDeadlineMs = 15 * 60_000;
const workFolder = "/var/tmp"; // on a disk, and without `nodev` or `noexec`, unlike many a /tmp

/** True when the engine has the image, with our label. */
export async function hasBaseImage(address: EngineAddress): Promise<boolean> {
  const answer = await callEngine(address, {
    method: "GET",
    path: `/images/${baseImage.name}/json`,
    idleMs: 10_000,
  });
  if (answer.status === 404) return false;
  expectOk(answer);
  const labels = (JSON.parse(answer.text) as { Config?: { Labels?: Record<string, string> | null } }).Config
    ?.Labels;
  return labels?.[baseImage.label] === baseImage.suite;
}

/**
 * Pulls Debian's slim image and makes the base image from it, without the sources of its apt. Resolves to the reason when no registry
 * can be reached.
 */
export async function pullBaseImage(
  address: EngineAddress,
  onLine: (line: string) => void,
): Promise<{ pulled: true } | { pulled: false; reason: string }> {
  try {
    const pull = `/images/create?fromImage=debian&tag=${baseImage.suite}-slim`;
    expectOk(
      await callEngine(address, { method: "POST", path: pull, idleMs: pullIdleMs, onLine: told(onLine) }),
    );
    const dockerfile = [
      `FROM debian:${baseImage.suite}-slim`,
      "RUN rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*",
      `LABEL ${baseImage.label}=${baseImage.suite}`,
    ];
    const context = pack();
    context.entry({ name: "Dockerfile" }, `${dockerfile.join("\n")}\n`);
    context.finalize();
    const body = Readable.from(context);
    const build = `/build?${new URLSearchParams({ t: baseImage.name, networkmode: "none", rm: "1" })}`;
    expectOk(await callEngine(address, { method: "POST", path: build, idleMs: importIdleMs, body }));
    return { pulled: true };
  } catch (error) {
    return { pulled: false, reason: messageOf(error) };
  }
}

/**
 * Makes the base image from the Debian mirror that this machine's own apt uses. No host name of the mirror is left inside. Needs root
 * and `debootstrap`.
 */
export async function bootstrapBaseImage(options: {
  address: EngineAddress;
  environment: Record<string, string>;
  onLine: (line: string) => void;
  name?: string;
}): Promise<void> {
  const { address, environment, onLine, name = baseImage.name } = options;
  const mirror = chooseMirror(await aptSources(environment), baseImage.suite);
  if (mirror === undefined) {
    throw new ActionNeededError(
      "NO_DEBIAN_MIRROR",
      `this machine's apt has no source with ${baseImage.suite} main`,
      {
        hint: "add a Debian mirror to /etc/apt/sources.list, then apt-get update",
      },
    );
  }
  await mkdir(workFolder, { recursive: true });
  const folder = await mkdtemp(join(workFolder, "dtaas-base-"));
  const root = join(folder, "root");
  try {
    const result = await runCommand(
      "debootstrap",
      ["--variant=minbase", "--force-check-gpg", baseImage.suite, root, mirror.uri],
      {
        environment: { ...(await aptProxies(environment)), ...environment, LC_ALL: "C" },
        deadlineMs: debootstrapDeadlineMs,
        onLine: (line) => onLine(line.replace(/^[IW]: /, "")),
      },
    );
    if (result.code !== 0) throw bootstrapFailed(result.lines);
    onLine("clearing out");
    await clearOut(root);
    onLine("importing");
    await importRoot(address, root, name);
  } finally {
    const mounted = [join(root, "proc"), join(root, "sys")]; // left there by a debootstrap that was ended
    await runCommand("umount", ["--quiet", ...mounted], { environment, deadlineMs: 10_000 });
    await rm(folder, { recursive: true, force: true });
  }
}

function bootstrapFailed(lines: string[]): ActionNeededError {
  const errors = lines.filter((line) => /^(E|W): /.test(line)).slice(-3);
  const words = (errors.length > 0 ? errors : lines.slice(-2)).join("; ") || "debootstrap said nothing";
  return new ActionNeededError("BASE_IMAGE_NOT_MADE", `the base image could not be made: ${words}`, {
    hint: `docker pull debian:${baseImage.suite}-slim where a registry can be reached, or apt-get update`,
  });
}

/** What is of the machine that made it, or is of no use in a container. Licences (`copyright`) stay. */
async function clearOut(root: string): Promise<void> {
  const at = (path: string) => join(root, path);
  for (const path of [
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "var/cache/debconf/templates.dat-old",
    "var/cache/debconf/config.dat-old",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/available-old",
    "debootstrap",
  ]) {
    await rm(at(path), { recursive: true, force: true });
  }
  for (const folder of [
    "etc/apt/sources.list.d",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/cache/ldconfig",
    "var/log",
    "usr/share/man",
    "usr/share/info",
    "usr/share/groff",
    "usr/share/lintian",
    "usr/share/locale",
    "run",
    "tmp",
  ]) {
    await empty(at(folder));
  }
  for (const name of await readdir(at("usr/share/doc")))
    await emptyBut(at(join("usr/share/doc", name)), "copyright");
  for (const [path, text] of Object.entries(debianSettings)) await writeFile(at(path), text);
}

/** What later installations inside images leave out. Services are never started in a build. */
const debianSettings: Record<string, string> = {
  "etc/dpkg/dpkg.cfg.d/slim": [
    "path-exclude /usr/share/doc/*",
    "path-include /usr/share/doc/*/copyright",
    "path-exclude /usr/share/groff/*",
    "path-exclude /usr/share/info/*",
    "path-exclude /usr/share/lintian/*",
    "path-exclude /usr/share/locale/*",
    "path-exclude /usr/share/man/*",
    "",
  ].join("\n"),
  "etc/apt/apt.conf.d/no-languages": 'Acquire::Languages "none";\n',
};

async function empty(folder: string): Promise<void> {
  await emptyBut(folder, undefined);
}

async function emptyBut(folder: string, keep: string | undefined): Promise<void> {
  const names = await readdir(folder).catch(() => []); // not there, or no folder
  for (const name of names) if (name !== keep) await rm(join(folder, name), { recursive: true, force: true });
}

async function importRoot(address: EngineAddress, root: string, name: string): Promise<void> {
  const tar = spawn("tar", ["--numeric-owner", "--one-file-system", "-C", root, "-c", "."], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number>((resolve) => {
    tar.once("error", () => resolve(127));
    tar.once("close", (code) => resolve(code ?? 1));
  });
  const [repo = "", tag = ""] = name.split(":");
  const query = new URLSearchParams({ fromSrc: "-", repo, tag });
  query.append("changes", `LABEL ${baseImage.label}=${baseImage.suite}`);
  query.append("changes", 'CMD ["bash"]');
  const body: Readable = tar.stdout;
  expectOk(
    await callEngine(address, {
      method: "POST",
      path: `/images/create?${query}`,
      idleMs: importIdleMs,
      body,
    }),
  );
  const code = await ended;
  if (code !== 0) throw new Error(`tar ended with exit code ${code} while the base image was imported`);
}

/** The engine answers 200 and tells a failure in its last lines. */
function expectOk(answer: EngineAnswer): void {
  const error = /^\{.*"error":.*$/m.exec(answer.text)?.[0];
  if (answer.status < 300 && error === undefined) return;
  throw new Error(`the engine answered ${answer.status}: ${messageIn(error ?? answer.text)}`);
}

function messageIn(text: string): string {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    return String(message ?? error ?? text);
  } catch {
    return text.trim().slice(0, 300);
  }
}

function told(onLine: (line: string) => void): (line: string) => void {
  return (line) => {
    const status = /"status":"([^"]*)"/.exec(line)?.[1];
    if (status !== undefined) onLine(status);
  };
}
