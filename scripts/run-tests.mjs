import { programOf, runStep } from "./run-step.mjs";

const closingLine = /^(\d+) passed, (\d+) failed.*$/gm;

/**
 * Runs vitest and shows what it says, all but its closing line, which the caller prints last. A run that ends without one counts as
 * one failure. `node`: another Node.js to run them with.
 */
export async function runTests(args, node) {
  let held = "";
  const { code, output } = await runStep([programOf("vitest", "vitest"), "run", ...args], {
    node,
    environment: { ...process.env, ...(process.stdout.isTTY && { FORCE_COLOR: "1" }) },
    onOutput: (text) => {
      const lines = (held + text).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) if (line.search(closingLine) < 0) console.log(line);
    },
  });
  const last = [...output.matchAll(closingLine)].at(-1);
  const passed = Number(last?.[1] ?? 0);
  let failed = Number(last?.[2] ?? 0);
  if (code !== 0 && failed === 0) failed = 1;
  const skipped = Number(/(\d+) skipped/.exec(last?.[0] ?? "")?.[1] ?? 0);
  return { passed, failed, skipped };
}

/** The line that closes every run, for people and machines. */
export function sayResult({ passed, failed, skipped }, failedChecks) {
  if (failedChecks.length > 0) console.log(`\nFailed checks: ${failedChecks.join(", ")}`);
  const all = failed + failedChecks.length;
  console.log(`\n${passed} passed, ${all} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  if (all > 0 || passed === 0) process.exitCode = 1;
}
