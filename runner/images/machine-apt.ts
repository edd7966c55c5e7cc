import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { isSystemError } from "#core/errors";

const helper = "/usr/lib/apt/apt-helper";
const outputLimitBytes = 16 * 1024 * 1024;
const fetchDeadlineMs = 10 * 60_000;

/** One component of one release, as the machine's own apt knows it. */
export interface AptSource {
  /** Root of the repository; may hold credentials. */
  uri: string;
  release: string;
  component: string;
}

/** What a machine's apt is set to, and a way to fetch with it. */
export interface MachineApt {
  /** Sources of Debian's release with this code name, its updates and security fixes. None on another system. */
  sources(codename: string): Promise<AptSource[]>;
  /** Whether there is any source at all. */
  hasSources(): Promise<boolean>;
  /** Options that builds share with the machine, as text of an apt.conf. */
  options(): Promise<string>;
  /**
   * Fetches a file the way the machine's apt would: with its proxies, credentials and certificates. The file lies in
   * a folder of its own that the caller removes. `missing` where the server says that there is none.
   */
  fetch(uri: string, signal: AbortSignal): Promise<{ path: string; folder: string } | "missing">;
}

/** The apt of this machine; one without apt has no sources. */
export function machineApt(environment: NodeJS.ProcessEnv): MachineApt {
  const ask = async (program: string, ...words: string[]): Promise<string> => {
    try {
      const options = { env: { ...environment, LC_ALL: "C" }, maxBuffer: outputLimitBytes };
      return (await promisify(execFile)(program, words, options)).stdout;
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return "";
      throw error;
    }
  };
  return {
    async sources(codename) {
      const format = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CODENAME)|$(ORIGIN)";
      // Twice: what has been downloaded tells its origin and code name, and the rest is listed at all.
      const [known, all] = await Promise.all([
        ask("apt-get", "indextargets", "--format", format),
        ask("apt-get", "indextargets", "--no-release-info", "--format", format),
      ]);
      return debianSources(known, all, codename);
    },

    async hasSources() {
      const found = await ask("apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)");
      return found.trim() !== "";
    },

    async options() {
      const dump = await ask("apt-config", "dump");
      const shared = /^Acquire::(Check-Valid-Until|Check-Date|Retries|Languages:?:?) "[\w-]*";$/;
      return [...dump.split("\n").filter((line) => shared.test(line)), ""].join("\n");
    },

    async fetch(uri, signal) {
      const folder = await mkdtemp(join(tmpdir(), "dtaas-apt-"));
      try {
        const path = join(folder, "file");
        const { code, output } = await run([helper, "-qq", "download-file", uri, path], environment, signal);
        if (code === 0) return { path, folder };
        await rm(folder, { recursive: true, force: true });
        if (/\b404\b|File not found|No such file/.test(output)) return "missing";
        throw new Error(output.trim().split("\n")[0] ?? `apt-helper ended with ${code}`);
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

/** `known` and `all` are lines of fields separated by `|`; a field apt does not know stands as its own name. */
export function debianSources(known: string, all: string, codename: string): AptSource[] {
  const rows = (text: string) => text.split("\n").map((line) => line.split("|"));
  const foreign = new Set<string>();
  const found = new Map<string, AptSource>();
  for (const [createdBy, uri = "", release = "", component = "", name = "", origin = ""] of [
    ...rows(known),
    ...rows(all),
  ]) {
    if (createdBy !== "Packages" || uri === "" || component === "") continue;
    const key = [uri, release, component].join("|");
    if (origin !== "" && !origin.startsWith("$") && origin !== "Debian") foreign.add(key);
    const ofRelease = [release, name].some(
      (word) => word === codename || word.startsWith(`${codename}-`) || word.startsWith(`${codename}/`),
    );
    if (ofRelease && !foreign.has(key)) found.set(key, { uri, release, component });
  }
  return [...found.values()];
}

function run(
  [program = "", ...words]: string[],
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      env: { ...environment, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
      signal: AbortSignal.any([signal, AbortSignal.timeout(fetchDeadlineMs)]),
    });
    let output = "";
    const take = (chunk: Buffer) => {
      if (output.length < 64 * 1024) output += chunk.toString();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: errorLines(output) }));
  });
}

/** Errors first; apt's warnings about its sandbox say nothing about the file. */
function errorLines(output: string): string {
  const lines = output.split("\n");
  const errors = lines.filter((line) => line.startsWith("E: "));
  return (errors.length > 0 ? errors : lines).join("\n");
}
