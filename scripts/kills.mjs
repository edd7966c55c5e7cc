#!/usr/bin/env node
// npm run kills -- [number] [seed]: kills controller and runner that often, at random points, while a user pushes.
import { spawnSync } from "node:child_process";
import { build } from "./build.mjs";
import { programOf, root } from "./run-step.mjs";

const [kills = "200", seed = "1"] = process.argv.slice(2);
if (await build()) {
  const args = [programOf("vitest", "vitest"), "run", "--config", "vitest.kills.config.ts"];
  const env = { ...process.env, DTAAS_KILLS: kills, DTAAS_SEED: seed };
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env }).status ?? 1;
} else {
  process.exitCode = 1;
}
