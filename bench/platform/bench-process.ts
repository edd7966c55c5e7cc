import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { nodeFlags } from "#cli/up/child-environments";
import { packageRoot } from "#core/package-root";

export interface BenchProcess {
  pid: number;
  /** Politely; resolves when it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a compiled program with exactly this environment and the flags that `dtaas up` gives it; its output goes to `<folder>/logs/<name>.log`. With
 * `--profile=<folder>` on the command line of the bench, each leaves a profile of its processor time there.
 */
export async function startBenchProcess(
  folder: string,
  name: string,
  program: { script: string; args?: readonly string[]; env: Record<string, string> },
): Promise<BenchProcess> {
  await mkdir(join(folder, "logs"), { recursive: true });
  const log = openSync(join(folder, "logs", `${name}.log`), "a");
  const asked = process.argv.find((word) => word.startsWith("--profile="))?.slice("--profile=".length);
  const profiling =
    asked === undefined
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${asked}`, `--cpu-prof-name=${name}.cpuprofile`];
  const script = join(packageRoot, "dist", program.script);
  const child = spawn(
    process.execPath,
    [...(nodeFlags[name] ?? []), ...profiling, script, ...(program.args ?? [])],
    {
      env: program.env,
      stdio: ["ignore", log, log],
    },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.pid === undefined) throw new Error(`${name} could not be started`);
  return {
    pid: child.pid,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
