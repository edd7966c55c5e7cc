import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const python = "/usr/bin/python3"; // the distribution's own, which sees the distribution's packages

/**
 * Installs the distribution's python-gitlab where this process may: a client of GitLab that others wrote, for one test of the embedded
 * forge. Where it may not, or is told not to, the test says itself that it was not run.
 */
export async function installPythonGitlab(machine, talk) {
  if (!machine.isRoot || (await isThere())) return;
  const { aptInstall } = await import("../dist/embedded/machine/apt.js");
  const { commandEnvironment } = await import("../dist/embedded/machine/machine.js");
  const packages = ["python3-gitlab"];
  if (!(await talk.approve({ needed: packages, perhaps: [] }))) return;
  const onLine = talk.stage("python");
  try {
    await aptInstall(packages, { environment: commandEnvironment(machine), onLine });
    talk.done(packages.join(", "));
  } catch (error) {
    if (error?.name !== "ActionNeededError") throw error;
    talk.done(`without ${packages.join(", ")}: ${error.message}`);
  }
}

async function isThere() {
  try {
    await run(python, ["-c", "import gitlab"]);
    return true;
  } catch {
    return false;
  }
}
