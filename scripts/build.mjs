#!/usr/bin/env node
// Builds dist/ from the sources; only what changed since the last time. `npm ci` runs it as the `prepare` script.
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programOf, root, runStep } from "./run-step.mjs";

const program = join(root, "dist", "cli", "main.js");

/** True when dist/ is up to date now; what the compiler said is printed otherwise. */
export async function build() {
  if (!existsSync(join(root, "node_modules", "typescript"))) {
    console.error("dtaas: typescript is not installed, dist/ is left as it is (npm ci brings it)");
    return existsSync(program);
  }
  const { code, output } = await runStep([programOf("typescript", "tsc"), "-p", "tsconfig.build.json"]);
  if (code !== 0) process.stderr.write(output);
  if (existsSync(program)) await chmod(program, 0o755);
  return code === 0;
}

/**
 * As `prepare`: the first `npx dtaas` links this package into npm's cache and runs it too, with nothing to build. A failure there
 * or without development packages would break the installation, so it is only said; `npm start` and `npm test` build first and stop.
 */
async function prepare() {
  if (process.env.npm_command === "exec" && existsSync(program)) return;
  if (!(await build())) console.error("dtaas: dist/ is not up to date");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.env.npm_lifecycle_event === "prepare") await prepare();
  else if (!(await build())) process.exitCode = 1;
}
