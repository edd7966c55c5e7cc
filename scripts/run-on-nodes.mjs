import { fetchNode, otherReleases } from "./other-nodes.mjs";
import { runTests } from "./run-tests.mjs";

// What differs between versions of Node.js: processes, sockets, streams, files and Git; and the main job from end to end.
const integration = [
  "embedded/redis/start-redis.integration.test.ts",
  "embedded/forge/git-http/git-http.integration.test.ts",
  "controller/assets/mirrors.integration.test.ts",
  "controller/intake/deliveries.integration.test.ts",
  "cli/up/start-child.integration.test.ts",
  "runner/engine/process/process-engine.integration.test.ts",
];
const story = "test/story/everywhere.test.ts";

/**
 * Runs all unit tests, some integration tests and one story with each of these releases. `has`: "engine" for all of it, "redis" without
 * the story, "nothing" for unit tests alone. A release that cannot be had is one failure under CI and is said elsewhere. Resolves to the
 * counts of all together and one line for each.
 */
export async function runOnNodes(has, majors = otherReleases()) {
  const all = { passed: 0, failed: 0, skipped: 0 };
  const lines = [];
  for (const major of majors) {
    let node;
    try {
      node = await fetchNode(major);
    } catch (error) {
      const isFailure = process.env.CI === "true";
      if (isFailure) all.failed += 1;
      lines.push(`${isFailure ? "FAILED" : "NOT RUN"}: Node.js ${major}: ${error.message}`);
      continue;
    }
    console.log(`\nNode.js ${node.version}`);
    const startedAt = Date.now();
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const args of runsFor(has)) {
      const part = await runTests(args, node.program);
      for (const name of Object.keys(count)) count[name] += part[name];
    }
    for (const name of Object.keys(count)) all[name] += count[name];
    const { passed, failed, skipped } = count;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
    const others = skipped > 0 ? `, ${skipped} skipped` : "";
    lines.push(`Node.js ${node.version}: ${passed} passed, ${failed} failed${others}, ${seconds} s`);
  }
  return { ...all, lines };
}

function runsFor(has) {
  const quiet = ["--reporter=dot", "--reporter=./test/summary-reporter.ts"];
  const unit = [...quiet, "--project", "unit"];
  if (has === "nothing") return [unit];
  const daemons = [...quiet, "--project", "integration", ...integration];
  return [unit, has === "engine" ? [...daemons, "--project", "story", story] : daemons];
}
