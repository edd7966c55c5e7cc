#!/usr/bin/env node
// npm start: build what changed, then `dtaas up` in this same process, so that Ctrl-C reaches it once and directly.
import { build } from "./build.mjs";

if (await build()) {
  process.argv.splice(2, 0, "up");
  await import("../dist/cli/main.js");
} else {
  console.error("\nThe build failed; nothing was started.");
  process.exitCode = 1;
}
