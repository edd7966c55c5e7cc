import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type JobScripts, jobScripts } from "./job-script.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "job-script-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes the scripts to a folder that stands for /builds; the path of the driver. */
async function prepare(job: Partial<JobScripts>): Promise<string> {
  const scripts = jobScripts({ project: "dtaas/ada", script: [], afterScript: [], variables: {}, ...job });
  await mkdir(join(folder, "dtaas/ada"), { recursive: true });
  await mkdir(join(folder, ".dtaas"), { recursive: true });
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, ".dtaas", name), text.replaceAll("/builds/", `${folder}/`));
  }
  return join(folder, ".dtaas/job");
}

async function run(job: Partial<JobScripts>, shell = "sh"): Promise<{ code: number; output: string }> {
  const driver = await prepare(job);
  return await new Promise((resolve) => {
    execFile(shell, [driver], { env: { PATH: "/usr/bin:/bin" } }, (error, stdout, stderr) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      const output = `${stdout}${stderr}`.replace(/\x1b\[[0-9;]*[mK]/g, "");
      resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, output });
    });
  });
}

test("commands are shown and run in the project's folder, with the variables as they are", async () => {
  const value = 'it\'s "5" $HOME `x`\nand more';
  const { code, output } = await run({ script: ["pwd", 'printf "<%s>\\n" "$V"'], variables: { V: value } });
  expect(code).toBe(0);
  expect(output).toBe(`$ pwd\n${folder}/dtaas/ada\n$ printf "<%s>\\n" "$V"\n<${value}>\n`);
});

test("the first command that fails ends the script with its code, within a pipe as well", async () => {
  expect(await run({ script: ["echo one", "exit 3", "echo two"] })).toMatchObject({ code: 3 });
  const piped = await run({ script: ["false | cat", "echo not reached"] });
  expect(piped.code).toBe(1);
  expect(piped.output).not.toMatch(/^not reached/m);
});

test("several lines are one command, and functions last from one to the next", async () => {
  const { output } = await run({ script: ["greet() {\n  echo hello $1\n}", "greet you"] });
  expect(output).toContain("$ greet() { # collapsed multi-line command\n");
  expect(output).toMatch(/hello you\n$/);
});

test("after_script runs whatever came before, knows of it, and changes nothing", async () => {
  const failed = await run({ script: ["exit 4"], afterScript: ["echo it was $CI_JOB_STATUS", "exit 9"] });
  expect(failed.code).toBe(4);
  expect(failed.output).toMatch(/it was failed\n[\s\S]*unaffected: exit code 9/);
  expect((await run({ script: ["true"], afterScript: ["echo it was $CI_JOB_STATUS"] })).output).toMatch(
    /it was success/,
  );
});

test("a wish to end reaches the script and what it has started; after_script runs still", async () => {
  const driver = await prepare({
    script: ["echo started > started", "sleep 60"],
    afterScript: ["echo $CI_JOB_STATUS > after"],
  });
  const child = spawn("sh", [driver], { env: { PATH: "/usr/bin:/bin" }, stdio: "ignore" });
  const started = join(folder, "dtaas/ada/started");
  await expect.poll(() => readFile(started, "utf8").catch(() => ""), { timeout: 10_000 }).toBe("started\n");
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(143);
  expect(await readFile(join(folder, "dtaas/ada/after"), "utf8")).toBe("canceled\n");
});
