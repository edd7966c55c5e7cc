#!/usr/bin/env node
// npm test: prepare the machine as `dtaas up` does, check the sources, run every test. What it started it stops.
import { join } from "node:path";
import { build } from "./build.mjs";
import { runChecks } from "./checks.mjs";
import { root } from "./run-step.mjs";
import { runTests, sayResult } from "./run-tests.mjs";

const nothing = { passed: 0, failed: 0, skipped: 0 };
const isBuilt = await build();
const prepared = isBuilt ? await prepare() : undefined;
try {
  console.log("\nChecks");
  const failedChecks = await runChecks();
  if (!isBuilt) {
    sayResult(nothing, ["build", ...failedChecks]);
  } else if (prepared.stop) {
    sayResult(await runTests(process.argv.slice(2)), failedChecks);
  } else if (process.env.CI === "true") {
    sayResult(nothing, ["machine", ...failedChecks]);
  } else {
    const result = await runTests(["--project", "unit"]);
    console.log(`\nNOT RUN: the tests that need Redis and Docker. ${prepared.why}`);
    sayResult(result, failedChecks);
  }
} finally {
  await prepared?.stop?.();
}

/** A machine that cannot be made ready is an error under CI; elsewhere the tests that need no daemon are run, and it is said. */
async function prepare() {
  const { thisMachine } = await import("../dist/embedded/machine/machine.js");
  const { prepareMachine } = await import("../dist/embedded/machine/prepare-machine.js");
  const { prepareTalk } = await import("../dist/cli/up/prepare-talk.js");
  const { Terminal } = await import("../dist/cli/up/terminal.js");
  const terminal = new Terminal(process.stdout);
  const asks = Boolean(process.stdin.isTTY && process.stdout.isTTY) && process.env.CI !== "true";
  const machine = thisMachine(process.env, join(root, "node_modules", ".cache", "dtaas", "engine"));
  console.log("Machine");
  try {
    const ready = await prepareMachine(machine, prepareTalk(terminal, asks));
    let isStopping;
    const stop = () => (isStopping ??= ready.stop());
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.once(signal, () => void stop().finally(() => process.exit(1)));
    }
    return { stop };
  } catch (error) {
    if (error?.name !== "ActionNeededError") throw error;
    terminal.failed("");
    const hint = error.hint ? `\nmend it with:\n  ${error.hint.replaceAll("\n", "\n  ")}` : "";
    console.log(`${error.message}${hint}`);
    return { why: error.message };
  }
}
