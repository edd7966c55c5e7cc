#!/usr/bin/env node
// npm test: prepare the machine as `dtaas up` does, check the sources, run every test. What it started it stops.
import { join } from "node:path";
import { build } from "./build.mjs";
import { runChecks } from "./checks.mjs";
import { installPythonGitlab } from "./install-python-gitlab.mjs";
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
  } else if (prepared.stop && prepared.why) {
    process.env.DTAAS_TESTS_WITHOUT_ENGINE = prepared.why;
    const result = await runTests(process.argv.slice(2));
    console.log(`\nNOT RUN: the tests that need Docker, as no container engine can be had. ${prepared.why}`);
    sayResult(result, failedChecks);
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

/**
 * A machine that cannot be made ready is an error under CI; elsewhere the tests that need no container engine, or no
 * daemon at all, are run, and it is said.
 */
async function prepare() {
  const { thisMachine } = await import("../dist/embedded/machine/machine.js");
  const { prepareMachine } = await import("../dist/embedded/machine/prepare-machine.js");
  const { prepareTalk } = await import("../dist/cli/up/prepare-talk.js");
  const { Terminal } = await import("../dist/cli/up/terminal.js");
  const terminal = new Terminal(process.stdout);
  const asks = Boolean(process.stdin.isTTY && process.stdout.isTTY) && process.env.CI !== "true";
  const machine = thisMachine(process.env, join(root, "node_modules", ".cache", "dtaas", "engine"));
  const talk = prepareTalk(terminal, asks);
  const stoppable = (ready) => {
    let isStopping;
    const stop = () => (isStopping ??= ready.stop());
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.once(signal, () => void stop().finally(() => process.exit(1)));
    }
    return stop;
  };
  const failure = (error) => {
    if (error?.name !== "ActionNeededError") throw error;
    terminal.failed("");
    const hint = error.hint ? `\nmend it with:\n  ${error.hint.replaceAll("\n", "\n  ")}` : "";
    console.log(`${error.message}${hint}`);
    return error.message.replaceAll("\n", "; ");
  };
  console.log("Machine");
  await installPythonGitlab(machine, talk);
  let why;
  try {
    return { stop: stoppable(await prepareMachine(machine, talk)) };
  } catch (error) {
    why = failure(error);
  }
  if (process.env.CI === "true") return { why };
  try {
    return { stop: stoppable(await prepareMachine(machine, talk, "no engine")), why };
  } catch (error) {
    return { why: failure(error) };
  }
}
