import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { TryLaterError } from "#core/errors";
import { parserPreload } from "./parser-folder.ts";

const deadlineMs = 30_000; // it needs about one second; more is a file that is made to cost
const maxOutputBytes = 8 * 1024 * 1024;
const maxMemoryMib = 256; // of its heap; a file of YAML that repeats itself ends there
const maxErrorChars = 4_000;

const program = createRequire(import.meta.url).resolve("gitlab-ci-local/dist/index.js");
// From Node.js 22.13 on it is no experiment any more.
const permission = process.allowedNodeEnvironmentFlags.has("--permission")
  ? "--permission"
  : "--experimental-permission";

export type ParserResult = { kind: "done"; output: string } | { kind: "failed"; error: string };

/**
 * Runs gitlab-ci-local in a folder made by `writeParserFolder`, to look and never to run a job: without anything of our environment, with
 * this folder as all it can read or write, without network, and ended when it takes too much time, memory or words. Rejects with
 * `TryLaterError` when the signal ends it.
 */
export function runParser(
  folder: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ParserResult> {
  const root = dirname(dirname(program));
  const work = join(folder, "work");
  const flags = [
    "--no-warnings",
    permission,
    "--allow-child-process",
    `--allow-fs-read=${root}/*`,
    `--allow-fs-read=${resolve(root, "../locales")}/*`, // its argument parser looks there and finds nothing
    `--allow-fs-read=${folder}/*`,
    `--allow-fs-write=${work}/*`,
    `--max-old-space-size=${maxMemoryMib}`,
    "--import",
    `data:text/javascript;base64,${Buffer.from(parserPreload).toString("base64")}`,
  ];
  return new Promise((done, stopped) => {
    const child = spawn(process.execPath, [...flags, program, ...args], {
      cwd: work,
      env: {
        PATH: join(folder, "bin"),
        HOME: join(folder, "home"),
        NO_COLOR: "1",
        FORCE_COLOR: "0",
        LANG: "C.UTF-8",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output: Buffer[] = [];
    let bytes = 0;
    let errors = "";
    let ended: string | undefined;
    const end = (why: string) => {
      ended ??= why;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(
      () => end(`it takes longer than ${deadlineMs / 1_000} seconds to read`),
      deadlineMs,
    );
    const stop = () => {
      child.kill("SIGKILL");
      stopped(new TryLaterError("the forge stops", { retryAfterMs: 5_000 }));
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxOutputBytes) end(`it becomes larger than ${maxOutputBytes / 1024 / 1024} MiB`);
      else output.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (errors.length < 16 * maxErrorChars) errors += chunk.toString("utf8");
    });
    const finish = (code: number | null) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (ended !== undefined) done({ kind: "failed", error: ended });
      else if (code === 0) done({ kind: "done", output: Buffer.concat(output).toString("utf8") });
      else done({ kind: "failed", error: toldError(errors, work) });
    };
    child.once("error", () => finish(null));
    child.once("close", finish);
  });
}

/** What it said was wrong: without colours, its remarks on the way, its stack, and names of our folders. */
function toldError(printed: string, work: string): string {
  if (/heap out of memory|Allocation failed/.test(printed)) return "it becomes too large to be read";
  const lines = printed
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is taken out
    .replace(/\x1b\[[0-9;]*m|\x1b\]8;;[^\x07\x1b]*(?:\x07|\x1b\\)/g, "")
    .replaceAll(`${work}/`, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !remarks.test(line) && !/^\s+at .+[:)]/.test(line));
  const end = lines.findIndex((line) => line.startsWith("For further troubleshooting"));
  const told = lines
    .slice(0, end < 0 ? undefined : end)
    .join("\n")
    .trim();
  return (
    told.replace(/^(AssertionError[^:]*|Error|YAMLException): /, "").slice(0, maxErrorChars) ||
    "it cannot be read"
  );
}

const remarks =
  /^(parsing and downloads finished|json schema validated|Using fallback|\s+Command failed with|Unable to retrieve default|downloaded |Node\.js v|\s*WARN |fatal: )/;
