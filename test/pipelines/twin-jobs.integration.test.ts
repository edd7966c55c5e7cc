import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { CiTokens } from "#controller/auth/ci-token";
import { packageRoot } from "#core/package-root";
import { renderTwinJobs } from "#templates/render-twin-jobs";
import { type ApiFixture, desiredTwin, spec, startApi } from "../fixtures/api-fixture.ts";
import { type CiIssuer, ciIssuer } from "../fixtures/ci-issuer.ts";
import { type PretendRun, pretendRunner } from "../fixtures/pretend-runner.ts";
import { until } from "../fixtures/until.ts";

const run = promisify(execFile);
const isCi = process.env["CI"] === "true";
const missing = await whyMissing();
// Skipped out loud, and never under CI, where `npm test` has installed it.
if (missing && !isCi) console.warn(`NOT RUN: pipelines with gitlab-ci-local. ${missing}`);
const withPrograms = test.skipIf(missing !== undefined && !isCi);
const audience = "http://dtaas.test";
const operation = { run: "lifecycle/x", workingDir: ".", graceMs: 10_000, outputs: [] };
let issuer: CiIssuer;
let api: ApiFixture;
let runner: ReturnType<typeof pretendRunner>;
let repository: string;
let behave: (run: PretendRun) => Promise<void>;

beforeAll(async () => {
  issuer = await ciIssuer(audience);
  const ciTokens = new CiTokens({ issuer: issuer.url, audiences: [audience] });
  api = await startApi((deps) => ({ ...deps, ciTokens }));
  const lifecycle = { ...spec.lifecycle, calibrate: operation };
  await api.desire("user1", [desiredTwin("tank", { state: "stopped", spec: { ...spec, lifecycle } })]);
  runner = pretendRunner(api.data, (asked) => behave(asked));
});
afterAll(async () => {
  await runner.close();
  await api.close();
  await issuer.close();
});
beforeEach(async () => {
  repository = await mkdtemp(join(tmpdir(), "dtaas-ci-"));
  await writeFile(join(repository, "twins.yml"), await renderTwinJobs());
  await writeFile(join(repository, ".gitlab-ci.yml"), "include:\n  - local: twins.yml\n");
  const git = (...words: string[]) =>
    run("git", ["-c", "user.name=a", "-c", "user.email=a@b.test", ...words], { cwd: repository });
  await git("init", "-q", "-b", "main");
  await git("remote", "add", "origin", "http://127.0.0.1:9/dtaas/user1.git");
  await git("add", ".");
  await git("commit", "-q", "-m", "x");
});
afterEach(async () => await rm(repository, { recursive: true, force: true }));

async function whyMissing(): Promise<string | undefined> {
  try {
    await run("rsync", ["--version"]);
    return undefined;
  } catch {
    return "rsync is not there; on Debian: apt-get install rsync";
  }
}

/** What a job has in its environment. */
async function variables(more: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    DTAAS_URL: api.url,
    DTAAS_ID_TOKEN: await issuer.token(),
    DTName: "tank",
    CI_PROJECT_NAME: "user1",
    CI_JOB_ID: String(Math.floor(Math.random() * 1e9) + 1),
    ...more,
  };
}

/** The pipeline, as gitlab-ci-local runs it. */
async function pipeline(
  given: Record<string, string>,
  onOutput: (all: string) => void = () => undefined,
): Promise<{ code: number | null; output: string }> {
  const program = join(packageRoot, "node_modules/.bin/gitlab-ci-local");
  const flags = Object.entries(given).flatMap(([name, value]) => ["--variable", `${name}=${value}`]);
  const child = spawn(program, ["--force-shell-executor", ...flags], { cwd: repository });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
      onOutput(output);
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

/** The scripts of a job as a runner joins them. */
async function scripts(
  name: string,
): Promise<{ script: string; after: string; variables: Record<string, string> }> {
  const documents = parseAllDocuments(await renderTwinJobs()) as { toJS(): unknown }[];
  const jobs = documents[1]?.toJS() as Record<string, Record<string, unknown>>;
  const lines = (key: "script" | "after_script") => ((jobs[".dtaas"]?.[key] ?? []) as string[]).join("\n");
  return {
    script: lines("script"),
    after: lines("after_script"),
    variables: jobs[name]?.["variables"] as Record<string, string>,
  };
}

function job(shell: string, script: string, environment: Record<string, string>) {
  const env = { PATH: process.env["PATH"], HOME: repository, CI_PROJECT_DIR: repository, ...environment };
  const child = spawn(shell, ["-e", "-c", script], { cwd: repository, env, detached: true });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, ended, output: () => output };
}

withPrograms(
  "the job shows the operation's log while it goes on, keeps its outputs, and succeeds with it",
  async () => {
    let isShown = false;
    behave = async (asked) => {
      await asked.print("filling the tank", "grün ✓ \u001b[32mgreen\u001b[0m \u001b[2Khidden");
      // The run goes on until its first line stands in the job's log.
      await until("the first line is shown", async () => isShown);
      await asked.print("full");
      await asked.keep("data/tank/levels.csv", "t,level\n0,1\n");
      await asked.end({});
    };
    const { code, output } = await pipeline(await variables({ DTOperation: "execute" }), (all) => {
      isShown ||= all.includes("filling the tank");
    });
    expect(output).toContain("grün ✓ \u001b[32mgreen");
    expect(output).not.toContain("\u001b[2K");
    expect(output).toContain("succeeded (exit code 0)");
    expect(code).toBe(0);
    const kept = join(repository, ".gitlab-ci-local/artifacts/execute/dtaas-outputs/data/tank/levels.csv");
    expect(await readFile(kept, "utf8")).toBe("t,level\n0,1\n");
    expect(runner.runs.at(-1)?.request).toMatchObject({ operation: "execute", requestedBy: "user1" });
  },
);

withPrograms(
  "the job ends with the operation's exit code; any operation of the twin can be run, with parameters",
  async () => {
    behave = async (asked) => {
      await asked.print("no sensor");
      await asked.end({ outcome: "failed", exitCode: 7, reason: "it ended with 7" });
    };
    const given = { DTOperation: "calibrate", DTParameters: "{}" };
    const { code, output } = await pipeline(await variables(given));
    expect(output).toMatch(/operation.*FAIL.*7/);
    expect(output).toContain("no sensor");
    expect(code).toBe(1);
    expect(runner.runs.at(-1)?.request.operation).toBe("calibrate");
  },
);

withPrograms("what the platform refuses is said in the job's log", async () => {
  const token = await issuer.token({}, { audience: "https://vault.test" });
  const { output } = await pipeline(await variables({ DTOperation: "execute", DTAAS_ID_TOKEN: token }));
  expect(output).toMatch(/another audience/);
  expect(output).toMatch(/FAIL.*125/);
  const unknown = await pipeline(await variables({ DTOperation: "polish" }));
  expect(unknown.output).toMatch(/has no operation "polish"/);
});

withPrograms("a pipeline about no twin runs nothing of ours", async () => {
  const before = runner.runs.length;
  const { DTName: _none, ...given } = await variables();
  await pipeline(given);
  expect(runner.runs.length).toBe(before);
});

test.each(["bash", "sh"])(
  "a job that is cancelled cancels its run and shows its last words (%s)",
  async (shell) => {
    behave = async (asked) => {
      await asked.print("running");
      await until("the run is cancelled", () => asked.wantsCancel());
      await asked.print("valve closed");
      await asked.end({ outcome: "cancelled", exitCode: 143 });
    };
    const { script, variables: own } = await scripts("execute");
    const { child, ended, output } = job(shell, script, await variables(own));
    await until("the log is shown", async () => output().includes("running"));
    child.kill("SIGTERM");
    expect(await ended).toBe(143);
    expect(output()).toContain("valve closed");
  },
);

test("a job that was killed at once leaves the cancelling to after_script, in a shell of its own", async () => {
  behave = async (asked) => {
    await asked.print("running");
    await until("the run is cancelled", () => asked.wantsCancel());
    await asked.end({ outcome: "cancelled" });
  };
  const { script, after, variables: own } = await scripts("execute");
  const given = await variables(own);
  const { child, ended, output } = job("bash", script, given);
  await until("the log is shown", async () => output().includes("running"));
  process.kill(-(child.pid ?? 0), "SIGKILL");
  await ended;
  const later = job("bash", after, given);
  expect(await later.ended).toBe(0);
  expect(later.output()).toContain("is being cancelled");
  await until("the run has ended", async () => (await runner.runs.at(-1)?.wantsCancel()) === true);
  expect((await readdir(repository)).filter((name) => name.startsWith(".dtaas-run"))).toEqual([]);
});

test("after a job that ended by itself after_script does nothing", async () => {
  behave = async (asked) => await asked.end({});
  const { script, after, variables: own } = await scripts("create");
  const given = await variables(own);
  expect(await job("bash", script, given).ended).toBe(0);
  const later = job("bash", after, given);
  expect(await later.ended).toBe(0);
  expect(later.output()).toBe("");
});

test("a connection that is lost on the way costs no line and repeats none, and the run is one", async () => {
  const before = runner.runs.length;
  behave = async (asked) => {
    await asked.print("one");
    await until("the first line is shown", async () => shown().includes("one"));
    api.dropConnections();
    await asked.print("two", "three");
    await asked.end({});
  };
  const { script, variables: own } = await scripts("execute");
  const { ended, output: shown } = job("bash", script, await variables(own));
  expect(await ended).toBe(0);
  const lines = shown()
    .split("\n")
    .filter((line) => /^(one|two|three)$/.test(line));
  expect(lines).toEqual(["one", "two", "three"]);
  expect(runner.runs.length).toBe(before + 1);
});

test("a Git host can include the jobs from the platform itself, without a token", async () => {
  const answer = await fetch(`${api.url}/api/v1/ci/twins.yml`);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe(await renderTwinJobs());
});
