import { execFile } from "node:child_process";
import { watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { access, ForgeAdmin } from "#cli/up/forge-admin";
import { dataFolder } from "#core/data-folder";
import type { ObservedState } from "#schemas/observed-state";
import { Clone } from "#test/story/clone";
import { Platform } from "#test/story/platform";
import { percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// From `git push` to a healthy container: push-live [rounds]. Each round pushes a new twin whose image is there
// already. The reference pushes the same commit to a repository nobody follows, then runs the same image and asks it
// the same question. Both are done in turns, so that the machine's moods hit both alike.

const maxRatio = 2;
const maxP99Ms = 2_000;
const liveDeadlineMs = 120_000;
const roundsPerUser = 10; // a user's network has 13 addresses
const rounds = numberArgument(0, 20);
const run = promisify(execFile);
const command = "#!/bin/sh\necho up\nwhile true; do sleep 1; done\n";
const check = ["test", "-d", "/tmp"];

const users = Array.from({ length: Math.ceil(rounds / roundsPerUser) }, (_, n) => `user${n + 1}`);
const platform = await Platform.start({ users });
const containers: string[] = [];
const folders: string[] = [];
try {
  const theirs = await untracked();
  folders.push(theirs.folder);
  progress("building the image");
  const clones: Clone[] = [];
  for (const user of users) {
    const clone = await platform.clone(user);
    folders.push(clone.folder);
    const { liveMs } = await pushOurs(clone, user, "twin-0");
    clones.push(clone);
    progress(`first twin of ${user}: ${liveMs.toFixed(0)} ms`);
  }
  const [container] = await platform.containers();
  const { stdout } = await run("docker", ["inspect", "--format", "{{.Image}}", container?.id ?? ""]);
  const image = stdout.trim();
  await pushTheirs(theirs, "twin-0", image);

  const live: number[] = [];
  const pushed: number[] = [];
  const bare: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(await pushTheirs(theirs, `twin-${round}`, image));
    const index = Math.floor((round - 1) / roundsPerUser);
    const [user = "", ours] = [users[index], clones[index]];
    if (!ours) throw new Error("there are too few users");
    const { liveMs, pushMs } = await pushOurs(ours, user, `twin-${round}`);
    live.push(liveMs);
    pushed.push(pushMs);
    progress(`${round}: ${liveMs.toFixed(0)} ms, bare ${bare.at(-1)?.toFixed(0)} ms`);
  }
  for (const list of [live, pushed, bare]) list.sort((a, b) => a - b);
  const value = percentile(live, 0.5);
  const p99 = percentile(live, 0.99);
  const reference = percentile(bare, 0.5);
  report({
    name: `push-live: git push to healthy container, ${rounds} times`,
    ...{ value, unit: "ms", p50: value, p99, reference },
    aim: `at most ${maxRatio} times bare git push and docker run, p99 at most ${maxP99Ms} ms`,
    met: value <= maxRatio * reference && p99 <= maxP99Ms,
    more: { pushMs: percentile(pushed, 0.5), referenceP99Ms: percentile(bare, 0.99) },
  });
} finally {
  if (containers.length > 0) await run("docker", ["rm", "-f", ...containers]);
  await platform.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

/** Milliseconds from the start of `git push` until the platform says the twin is live, and those of the push alone. */
async function pushOurs(
  clone: Clone,
  user: string,
  name: string,
): Promise<{ liveMs: number; pushMs: number }> {
  const revision = await commitTwin(clone, name);
  const { observed } = dataFolder(platform.settings.dataFolder);
  const isLive = async () => {
    const text = await readFile(join(observed, `${user}.json`), "utf8").catch(() => "{}");
    const { twins = [] } = JSON.parse(text) as Partial<ObservedState>;
    const twin = twins.find((candidate) => candidate.name === name);
    if (twin?.phase === "failed") throw new Error(`${name} failed: ${twin.reason}`);
    return twin?.phase === "live" && twin.revision === revision;
  };
  const ended = new AbortController();
  const seen = new Promise<number>((resolve, reject) => {
    const look = () => isLive().then((live) => live && resolve(performance.now()), reject);
    watch(observed, { signal: ended.signal }, look);
    const late = setTimeout(() => reject(new Error(`${name} is not live`)), liveDeadlineMs);
    ended.signal.addEventListener("abort", () => clearTimeout(late));
  });
  try {
    const start = performance.now();
    await clone.git("push", "-q", "origin", "HEAD:main");
    const pushMs = performance.now() - start;
    return { liveMs: (await seen) - start, pushMs };
  } finally {
    ended.abort();
  }
}

/** Milliseconds of `git push`, `docker run` and one check from inside, one after the other. */
async function pushTheirs(clone: Clone, name: string, image: string): Promise<number> {
  await commitTwin(clone, name);
  const start = performance.now();
  await clone.git("push", "-q", "origin", "HEAD:main");
  const { stdout } = await run("docker", ["run", "-d", "--entrypoint", "/bin/sh", image, "-c", command]);
  const id = stdout.trim();
  containers.push(id);
  await run("docker", ["exec", id, ...check]);
  return performance.now() - start;
}

async function commitTwin(clone: Clone, name: string): Promise<string> {
  const folder = `digital_twins/${name}`;
  await clone.write(
    `${folder}/dt.yaml`,
    `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: ${name} }
spec:
  state: running
  workspace: { template: base }
  lifecycle:
    execute: { run: lifecycle/execute }
  health: { exec: [${check.join(", ")}], interval: 1h }
`,
  );
  await clone.write(`${folder}/lifecycle/execute`, command, 0o755);
  await clone.git("add", "-A");
  await clone.git("commit", "-q", "-m", `feat: add ${name}`);
  return await clone.git("rev-parse", "HEAD");
}

/** A clone of a project outside the platform's group. */
async function untracked(): Promise<Clone> {
  const admin = new ForgeAdmin(platform.forgeUrl, platform.token("root"));
  const project = await admin.ensureProject(await admin.ensureGroup("elsewhere"), "elsewhere/plain", "plain");
  const user1 = await admin.ensureUser("user1", "user1", "");
  await admin.ensureMember(`projects/${project.id}`, user1, access.maintainer);
  const folder = await mkdtemp(join(tmpdir(), "dtaas-bench-plain-"));
  const url = new URL(`${platform.forgeUrl}/elsewhere/plain.git`);
  url.username = "user1";
  url.password = platform.token("user1");
  await run("git", ["clone", "-q", url.href, folder]);
  return new Clone(folder, "user1");
}
