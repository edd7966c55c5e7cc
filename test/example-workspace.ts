import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "#core/package-root";
import type { PythonPlace } from "./python-place.ts";

/** A user's example repository with the common one beside it, laid out as a twin sees it at /workspace. */
export interface ExampleWorkspace {
  root: string;
  /** Starts a command in the folder of a twin; a path such as `lifecycle/execute` is relative to it. */
  start(twin: string, command: string[], environment?: Record<string, string>): RunningCommand;
  /** Runs a command to its end. */
  run(twin: string, command: string[], environment?: Record<string, string>): Promise<EndedCommand>;
  /** Ends what still runs and removes the copy. */
  remove(): Promise<void>;
}

export interface EndedCommand {
  code: number | null;
  output: string;
}

export interface RunningCommand {
  ended: Promise<EndedCommand>;
  output(): string;
  /** Reaches all its processes, as the platform's stop signal does. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Runs another command of the same twin where it can see this one's processes, as `terminate` does. */
  beside(command: string[], environment?: Record<string, string>): Promise<EndedCommand>;
}

export async function makeExampleWorkspace(user: string, place: PythonPlace): Promise<ExampleWorkspace> {
  const root = await mkdtemp(join(tmpdir(), `dtaas-example-${user}-`));
  await cp(join(packageRoot, "examples", user), root, { recursive: true });
  await cp(join(packageRoot, "examples", "common"), join(root, "common"), { recursive: true });
  const running = new Set<RunningCommand>();

  const start = (
    twin: string,
    command: string[],
    environment: Record<string, string> = {},
    beside?: string,
  ): RunningCommand => {
    const { child, id, kill } = place.start({
      root,
      folder: join(root, "digital_twins", twin),
      command,
      environment: { DT_USER: user, DT_NAME: twin, ...environment },
      ...(beside === undefined ? {} : { beside }),
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const self: RunningCommand = {
      ended: once(child, "close").then(([code]: (number | null)[]) => {
        running.delete(self);
        return { code: code ?? null, output };
      }),
      output: () => output,
      kill,
      beside: (other, more) => start(twin, other, more, id).ended,
    };
    running.add(self);
    return self;
  };

  return {
    root,
    start: (twin, command, environment) => start(twin, command, environment),
    run: (twin, command, environment) => start(twin, command, environment).ended,
    remove: async () => {
      for (const command of [...running]) {
        await command.kill("SIGKILL");
        await command.ended;
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}
