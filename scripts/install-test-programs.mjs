import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

// Programs of others that single tests use, each with the question whether it is there: clients of the embedded forge that
// we did not write, and what the process engine runs twins in where it can be had.
const programs = [
  // The distribution's own Python sees the distribution's packages.
  { package: "python3-gitlab", ask: ["/usr/bin/python3", "-c", "import gitlab"] },
  { package: "git-lfs", ask: ["git-lfs", "version"] },
  // Carries files to the jobs of gitlab-ci-local, with which pipelines are tried.
  { package: "rsync", ask: ["rsync", "--version"] },
  { package: "bubblewrap", ask: ["bwrap", "--version"] },
];

/**
 * Installs what is missing of them where this process may. Where it may not, or is told not to, the tests say themselves that they
 * were not run.
 */
export async function installTestPrograms(machine, talk) {
  if (!machine.isRoot) return;
  const packages = [];
  for (const program of programs) if (!(await isThere(program.ask))) packages.push(program.package);
  if (packages.length === 0) return;
  const { aptInstall } = await import("../dist/embedded/machine/apt.js");
  const { commandEnvironment } = await import("../dist/embedded/machine/machine.js");
  if (!(await talk.approve({ needed: packages, perhaps: [] }))) return;
  const onLine = talk.stage("programs");
  try {
    await aptInstall(packages, { environment: commandEnvironment(machine), onLine });
    talk.done(packages.join(", "));
  } catch (error) {
    if (error?.name !== "ActionNeededError") throw error;
    talk.done(`without ${packages.join(", ")}: ${error.message}`);
  }
}

async function isThere([program, ...args]) {
  try {
    await run(program, args);
    return true;
  } catch {
    return false;
  }
}
