#!/usr/bin/env node
// npm run bench -- <name>: builds and runs bench/<name>.ts; without a name it lists what there is.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "./build.mjs";
import { programOf, root, runStep } from "./run-step.mjs";

const [name, ...rest] = process.argv.slice(2);
const folder = join(root, "bench");
if (!name || !existsSync(join(folder, `${name}.ts`))) {
  const files = existsSync(folder) ? await readdir(folder) : [];
  const names = files.filter((file) => file.endsWith(".ts")).map((file) => file.replace(/\.ts$/, ""));
  console.error(`npm run bench -- <name>; there are: ${names.join(", ") || "none"}`);
  process.exitCode = 1;
} else {
  const compiled = await runStep([programOf("typescript", "tsc"), "-p", "tsconfig.bench.json"]);
  if ((await build()) && compiled.code === 0) {
    const program = [join(root, "dist", "bench", `${name}.js`), ...rest];
    process.exitCode = spawnSync(process.execPath, program, { cwd: root, stdio: "inherit" }).status ?? 1;
  } else {
    console.error(compiled.output);
    process.exitCode = 1;
  }
}
