import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./run-step.mjs";

// One of each release that package.json supports; the registry has each as a package with the program in it.
const releases = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" };
const fetchDeadlineMs = 180_000; // 60 MB over a slow line
const cache = join(root, "node_modules", ".cache", "dtaas", "node");

/** Releases that are supported, by their major number, but the one that runs now. */
export function otherReleases() {
  const current = process.versions.node.split(".")[0];
  return Object.keys(releases).filter((major) => major !== current);
}

/**
 * The program of a release, fetched once into node_modules/.cache: never a dependency, and no script of a package is run. Throws in one
 * sentence why it cannot be had.
 */
export async function fetchNode(major) {
  const version = releases[major];
  if (version === undefined)
    throw new Error(`Node.js ${major} is none of ${Object.keys(releases).join(", ")}`);
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(cache, version);
  const program = join(folder, "node_modules", name, "bin", "node");
  if (!existsSync(program)) {
    const making = `${folder}.new-${process.pid}`;
    try {
      await mkdir(making, { recursive: true });
      await writeFile(join(making, "package.json"), '{ "private": true }\n');
      npmInstall(making, `${name}@${version}`);
      await rm(folder, { recursive: true, force: true });
      await rename(making, folder);
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }
  const shown = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (shown.status === 0 && shown.stdout.trim() === `v${version}`) return { version, program };
  await rm(folder, { recursive: true, force: true });
  throw new Error(`Node.js ${version} does not run here: ${shown.error?.message ?? shown.stderr.trim()}`);
}

function npmInstall(folder, wanted) {
  const quiet = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
  const args = ["install", "--prefix", folder, ...quiet, wanted];
  const npm = process.env.npm_execpath; // npm itself, where it has started us
  const [command, before] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOfRunningScript(name)));
  const result = spawnSync(command, [...before, ...args], {
    cwd: folder,
    encoding: "utf8",
    timeout: fetchDeadlineMs,
    env,
  });
  if (result.status === 0) return;
  const said = `${result.error?.message ?? ""}\n${result.stderr ?? ""}`.trim().split("\n");
  const telling = said.filter((line) => /^npm (error|ERR!)/.test(line)).slice(0, 2);
  throw new Error(`npm cannot fetch ${wanted}: ${(telling[0] ? telling : said.slice(-1)).join(" ")}`);
}

/** Settings of the npm that started us stay, what it told of its own script does not. */
function isOfRunningScript(name) {
  return /^npm_(lifecycle|package|command|config_(prefix|local_prefix|workspaces?))/.test(name);
}
