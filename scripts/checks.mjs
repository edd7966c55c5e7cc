import { existsSync } from "node:fs";
import { join } from "node:path";
import { programOf, root, runStep } from "./run-step.mjs";

const folders = [
  "core",
  "schemas",
  "planning",
  "templates",
  "controller",
  "runner",
  "embedded",
  "cli",
  "test",
  "bench",
];

/** Everything that can be said about the sources without running them. */
const checks = [
  { name: "types", run: () => runStep([programOf("typescript", "tsc"), "--noEmit"]) },
  {
    name: "format and lint",
    run: () =>
      runStep([programOf("@biomejs/biome", "biome"), "ci", "--colors=off", "--max-diagnostics=10", "."]),
  },
  { name: "imports", run: checkImports },
  {
    name: "dead code",
    run: () => runStep([programOf("knip", "knip"), "--no-progress"]),
  },
  { name: "generated types", run: () => runStep([join(root, "scripts", "generate-types.mjs"), "--check"]) },
  { name: "lock file", run: () => runStep([join(root, "scripts", "check-lock.mjs")]) },
];

async function checkImports() {
  const program = programOf("dependency-cruiser", "depcruise");
  const there = folders.filter((folder) => existsSync(join(root, folder)));
  const result = await runStep([program, "--config", ".dependency-cruiser.cjs", ...there]);
  const modules = Number(/\((\d+) modules|\. (\d+) modules/.exec(result.output)?.slice(1).find(Boolean) ?? 0);
  if (result.code === 0 && modules === 0) {
    return { code: 1, output: `${result.output}\nno module was looked at: the check itself is broken\n` };
  }
  return result;
}

const sideBySide = 2; // each of them keeps about one core busy

/** Runs all checks, prints a line for each and the words of those that fail. Resolves to the names of those. */
export async function runChecks() {
  const waiting = [...checks];
  const failed = [];
  const work = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const startedAt = Date.now();
      const { code, output } = await check.run();
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
      console.log(`  ${code === 0 ? "ok    " : "FAILED"} ${check.name}  ${seconds} s`);
      if (code === 0) continue;
      failed.push(check.name);
      console.log(output.trimEnd().replace(/^/gm, "         "));
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, work));
  return failed;
}
