import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { createImageBuilder } from "#runner/images/build-image";
import { readMachineRegistries } from "#runner/images/machine-registries";
import { dockerForTests } from "./docker-for-tests.ts";

const buildDeadlineMs = 240_000;

/** Where the programs of the examples run: with this machine's python3, or in the workspace image of the template `python`. */
export interface PythonPlace {
  name: string;
  start(program: PlacedProgram): {
    child: ChildProcess;
    id: string;
    kill(signal: NodeJS.Signals): Promise<void>;
  };
  close(): Promise<void>;
}

export interface PlacedProgram {
  /** The workspace; the program sees it under the same path. */
  root: string;
  /** It starts here. */
  folder: string;
  command: string[];
  environment: Record<string, string>;
  /** Id of another program whose processes it shall see. */
  beside?: string;
}

/**
 * The machine's python3 where there is one: it starts faster. Else, or with `DTAAS_TEST_PYTHON=container`, a container; `undefined`, with the
 * reason printed, where neither can be had, which is an error under CI.
 */
export async function pythonPlace(): Promise<PythonPlace | undefined> {
  if (process.env["DTAAS_TEST_PYTHON"] !== "container" && hasPython()) return machine;
  const available = await dockerForTests();
  if (!available) return undefined;
  const installation = await available.installation();
  try {
    const builder = createImageBuilder({
      images: installation.open().images,
      data: { builds: join(installation.folder, "builds") },
      registries: () => readMachineRegistries(process.env),
    });
    const workspace = { template: "python", packages: { apt: [], pip: [] } };
    const { id } = await builder.ensure(workspace, AbortSignal.timeout(buildDeadlineMs));
    return containers(id, installation.tearDown);
  } catch (error) {
    await installation.tearDown();
    throw error;
  }
}

const machine: PythonPlace = {
  name: "this machine's python3",
  start({ folder, command: [program = "", ...rest], environment }) {
    const child = spawn(program, rest, {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, so that what it starts ends with it
    });
    const kill = async (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // it has ended already
      }
    };
    return { child, id: String(child.pid), kill };
  },
  close: async () => undefined,
};

/** As the platform's own process is not the one under test here, the containers are made by the engine's command line. */
function containers(image: string, tearDown: () => Promise<void>): PythonPlace {
  const docker = promisify(execFile);
  return {
    name: "the workspace image python",
    start({ root, folder, command, environment, beside }) {
      const id = `dtaas-example-${randomBytes(6).toString("hex")}`;
      const child = spawn(
        "docker",
        [
          ...["run", "--rm", "--name", id, "--network", "host"],
          ...["--volume", `${root}:${root}`, "--workdir", folder],
          ...["--user", `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`],
          ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
          ...(beside === undefined ? [] : ["--pid", `container:${beside}`]),
          ...[image, ...insideFolder(folder, command)],
        ],
        { stdio: ["ignore", "pipe", "pipe"] },
      );
      const kill = async (signal: NodeJS.Signals) => {
        await docker("docker", ["kill", "--signal", signal, id]).catch(() => undefined); // it has ended already
      };
      return { child, id, kill };
    },
    close: tearDown,
  };
}

/** A program named by a relative path is one of the twin's folder. */
function insideFolder(folder: string, [program = "", ...rest]: string[]): string[] {
  return [program.includes("/") ? join(folder, program) : program, ...rest];
}

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
