#!/usr/bin/env node
// The lock file names versions and checksums, never where they came from: it has to work with every registry, and the
// registry of the machine that wrote it is nobody's business. The same host stands in no other file of ours either.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./run-step.mjs";

const run = promisify(execFile);
const problems = [];
const lock = await readFile(join(root, "package-lock.json"), "utf8");
const { packages } = JSON.parse(lock);
if (Object.keys(packages ?? {}).length < 2) problems.push("package-lock.json names no packages");
// A registry without some platform's build of a package makes npm leave it out here, and then `npm ci` refuses everywhere.
for (const [path, { optionalDependencies }] of Object.entries(packages ?? {})) {
  for (const name of Object.keys(optionalDependencies ?? {})) {
    const isThere = packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`];
    if (!isThere)
      problems.push(`package-lock.json has no ${name}, which ${path} may want: npm ci will refuse it`);
  }
}
if (lock.includes('"resolved":')) {
  problems.push(
    'package-lock.json has "resolved" addresses: npm install --omit-lockfile-registry-resolved writes it without',
  );
}
if (/https?:\/\/[^"]+\.tgz/.test(lock)) problems.push("package-lock.json has addresses of archives");

const registry = process.env.npm_config_registry;
if (registry && URL.canParse(registry)) {
  const host = new URL(registry).host;
  const { stdout } = await run("git", ["grep", "--untracked", "-l", "-F", host], { cwd: root }).catch(
    (error) => error,
  );
  for (const file of (stdout ?? "").split("\n").filter(Boolean))
    problems.push(`${file} names the registry of this machine`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
