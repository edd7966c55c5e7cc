#!/usr/bin/env node
// npm test: prepare the machine as `dtaas up` does, check the sources, run every test, then the chosen ones with the other versions of
// Node.js. What it started it stops. With arguments, which Vitest gets, this version alone.
import { build } from "./build.mjs";
import { runChecks } from "./checks.mjs";
import { prepareForTests } from "./prepare-for-tests.mjs";
import { runOnNodes } from "./run-on-nodes.mjs";
import { runTests, sayResult } from "./run-tests.mjs";

const nothing = { passed: 0, failed: 0, skipped: 0 };
const args = process.argv.slice(2);
const isBuilt = await build();
const prepared = isBuilt ? await prepareForTests() : undefined;
try {
  console.log("\nChecks");
  const failedChecks = await runChecks();
  if (!isBuilt) {
    sayResult(nothing, ["build", ...failedChecks]);
  } else if (!prepared.stop && process.env.CI === "true") {
    sayResult(nothing, ["machine", ...failedChecks]);
  } else if (prepared.stop && prepared.why) {
    process.env.DTAAS_TESTS_WITHOUT_ENGINE = prepared.why;
    const result = await runAll(args, "redis");
    console.log(`\nNOT RUN: the tests that need Docker, as no container engine can be had. ${prepared.why}`);
    sayResult(result, failedChecks);
  } else if (prepared.stop) {
    sayResult(await runAll(args, "engine"), failedChecks);
  } else {
    const result = await runAll(["--project", "unit"], "nothing");
    console.log(`\nNOT RUN: the tests that need Redis and Docker. ${prepared.why}`);
    sayResult(result, failedChecks);
  }
} finally {
  await prepared?.stop?.();
}

/** Every test with this version of Node.js and, unless some were asked for, the chosen ones with the others: counted together. */
async function runAll(wanted, has) {
  const own = await runTests(wanted);
  if (args.length > 0) return own;
  const { lines, ...others } = await runOnNodes(has);
  console.log(`\nNode.js ${process.versions.node}: ${own.passed} passed, ${own.failed} failed`);
  console.log(lines.join("\n"));
  return {
    passed: own.passed + others.passed,
    failed: own.failed + others.failed,
    skipped: own.skipped + others.skipped,
  };
}
