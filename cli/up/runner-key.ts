import { join } from "node:path";
import { publicKeyPattern } from "#core/age";
import { ActionNeededError } from "#core/errors";
import { packageRoot } from "#core/package-root";
import { runCommand } from "#embedded/processes/run-command";

const deadlineMs = 20_000; // a start of Node.js on a busy machine

/**
 * The runner's public key. The runner's own program is asked, which makes the key pair at the first start: nobody else
 * reads the private one. The controller is told by its configuration, so that whoever reaches Redis cannot put a key
 * of their own in its place.
 */
export async function runnerKey(options: { environment: Record<string, string> }): Promise<string> {
  const program = join(packageRoot, "dist", "runner", "main.js");
  const { environment } = options;
  const result = await runCommand(process.execPath, [program, "--public-key"], { environment, deadlineMs });
  const key = result.lines.at(-1)?.trim() ?? "";
  if (result.code === 0 && publicKeyPattern.test(key)) return key;
  throw new ActionNeededError(
    "RUNNER_KEY_MISSING",
    `the runner has no key: ${result.lines.at(-1) ?? "no answer"}`,
    {
      hint: "look at runner/runner.key in the data folder",
    },
  );
}
