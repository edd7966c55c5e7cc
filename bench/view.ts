import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { dataFolder, snapshotPath } from "#core/data-folder";
import { Views } from "#runner/mounts/views";
import type { ViewSource } from "#schemas/desired-state";
import { runGitIn } from "#test/fixtures/git-http-server";
import { measure, percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// One more user over shared repositories whose snapshots are there: view [repositories] [files] [assets] [rounds]. Against
// `git clone --depth 1` and `cp -a` of the same repositories for that user. Time, and disk by `du`.

const minTimes = 100;
const maxBytes = 1024 * 1024;
const repositories = numberArgument(0, 10);
const files = numberArgument(1, 5_000);
const assets = numberArgument(2, 50);
const rounds = numberArgument(3, 5);
const run = promisify(execFile);

const root = await mkdtemp(join(tmpdir(), "dtaas-bench-view-"));
try {
  const data = dataFolder(join(root, "data"));
  progress(`preparing ${repositories} repositories of ${files} files`);
  const sources: ViewSource[] = [];
  for (let n = 0; n < repositories; n += 1) sources.push(await prepare(n));
  const folders = sources.map(({ project, commit }) => snapshotPath(data, project, commit));

  const clones = await measure(1, async () => {
    for (const [n] of sources.entries()) {
      const from = `file://${join(root, `git${n}`)}`;
      await run("git", ["clone", "--quiet", "--depth", "1", from, join(root, "clone", String(n))]);
    }
  });
  progress(`git clone --depth 1: ${clones[0]?.toFixed(0)} ms, ${await diskOf(join(root, "clone"))} bytes`);
  const copies = await measure(1, async () => {
    await mkdir(join(root, "copy"));
    for (const [n, folder] of folders.entries())
      await run("cp", ["-a", folder, join(root, "copy", String(n))]);
  });
  progress(`cp -a: ${copies[0]?.toFixed(0)} ms, ${await diskOf(join(root, "copy"))} bytes`);

  // A process that serves has the listings already: of the controller's document, as in the product.
  const listed = await listAssets(folders);
  const views = new Views(data, { hostPaths: false });
  const spent = await measure(rounds, async (n) => {
    views.show(`user${n}`, views.ensure(`user${n}`, sources, listed));
  });
  const bytes = await diskOf(views.folder(`user${rounds - 1}`));
  const value = percentile(spent, 0.5);
  const times = Math.min(clones[0] ?? 0, copies[0] ?? 0) / value;
  report({
    name: `view: one more user, ${repositories} shared repositories of ${files} files and ${assets} assets`,
    ...{
      value,
      unit: "ms",
      p50: value,
      p99: percentile(spent, 0.99),
      reference: Math.min(clones[0] ?? 0, copies[0] ?? 0),
    },
    aim: `at least ${minTimes} times faster than git clone --depth 1 and than cp -a, below ${maxBytes} bytes`,
    met: times >= minTimes && bytes < maxBytes,
    more: { times, bytes, cloneMs: clones[0] ?? 0, copyMs: copies[0] ?? 0 },
  });
} finally {
  await rm(root, { recursive: true, force: true });
}

async function prepare(n: number): Promise<ViewSource> {
  const work = join(root, `work${n}`);
  for (let asset = 0; asset < assets; asset += 1) {
    const folder = join(work, "models", `r${n}-m${asset}`);
    await mkdir(folder, { recursive: true });
    for (let file = 0; file < files / assets; file += 1) {
      await writeFile(join(folder, `f${file}.txt`), `${n} ${asset} ${file} ${"x".repeat(file * 10)}`);
    }
  }
  const gitDir = join(root, `git${n}`);
  await mkdir(gitDir);
  runGitIn(gitDir, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
  const env = { GIT_WORK_TREE: work, GIT_INDEX_FILE: join(gitDir, "bench-index") };
  runGitIn(gitDir, ["add", "-A"], { env });
  const tree = runGitIn(gitDir, ["write-tree"], { env });
  const commit = runGitIn(gitDir, ["commit-tree", "-m", "assets", tree]);
  runGitIn(gitDir, ["update-ref", "refs/heads/main", commit]);
  const source = { project: `lab/shared${n}`, commit };
  await cp(work, snapshotPath(dataFolder(join(root, "data")), source.project, commit), { recursive: true });
  await rm(work, { recursive: true });
  return source;
}

async function listAssets(folders: readonly string[]) {
  const all = await Promise.all(folders.map((folder) => readdir(join(folder, "models"))));
  return all.flatMap((names, from) =>
    names.map((name) => ({ path: `models/${name}`, id: "0".repeat(40), from })),
  );
}

/** Blocks on disk and inodes together, as `du` counts them; a link without blocks counts as its inode of 256 bytes. */
async function diskOf(folder: string): Promise<number> {
  const { stdout } = await run("du", ["-s", "--block-size=1", folder]);
  const { stdout: found } = await run("find", [folder], { maxBuffer: 64 * 1024 * 1024 });
  return Number(stdout.split("\t")[0]) + found.split("\n").length * 256;
}
