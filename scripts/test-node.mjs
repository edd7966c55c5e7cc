#!/usr/bin/env node
// npm run test:node -- [20|22|24 ...]: the tests with other versions of Node.js; all supported ones but this unless told.
import { build } from "./build.mjs";
import { prepareForTests } from "./prepare-for-tests.mjs";
import { runOnNodes } from "./run-on-nodes.mjs";
import { sayResult } from "./run-tests.mjs";

const majors = process.argv.slice(2);
const nothing = { passed: 0, failed: 0, skipped: 0 };
if (!(await build())) {
  sayResult(nothing, ["build"]);
} else {
  const prepared = await prepareForTests();
  try {
    if (!prepared.stop && process.env.CI === "true") {
      sayResult(nothing, ["machine"]);
    } else {
      if (prepared.why) console.log(`\nNOT RUN: the tests that need a container engine. ${prepared.why}`);
      const has = prepared.stop ? (prepared.why ? "redis" : "engine") : "nothing";
      if (prepared.why) process.env.DTAAS_TESTS_WITHOUT_ENGINE = prepared.why;
      const result = await runOnNodes(has, majors.length > 0 ? majors : undefined);
      console.log(`\n${result.lines.join("\n")}`);
      sayResult(result, []);
    }
  } finally {
    await prepared.stop?.();
  }
}
