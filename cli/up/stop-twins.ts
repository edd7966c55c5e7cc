import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "#core/package-root";
import { runCommand } from "#embedded/processes/run-command";

const deadlineMs = 60_000; // every twin gets its grace

/**
 * Ends the containers of this installation, once nothing runs that would start them again. It is the runner's own program
 * that does it: only the runner talks to the engine. Resolves to one line for the terminal.
 */
export async function stopTwins(options: {
  environment: Record<string, string>;
  dataFolder: string;
}): Promise<string> {
  const program = join(packageRoot, "dist", "runner", "main.js");
  if (!existsSync(program)) return "left as they are: the runner is not built";
  const { environment } = options;
  const result = await runCommand(process.execPath, [program, "--stop-all"], { environment, deadlineMs });
  if (result.code === 0) return "stopped";
  throw new Error(`could not be stopped: ${result.lines.at(-1) ?? `exit code ${result.code}`}`);
}
