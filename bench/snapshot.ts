import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mirrors } from "#controller/assets/mirrors";
import { Snapshots } from "#controller/assets/snapshots";
import { dataFolder } from "#core/data-folder";
import { commitFiles, runGitIn } from "#test/fixtures/git-http-server";
import { measure, percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// First snapshot of a repository and the next ones with ten files changed, all flushed to disk, against
// `git worktree add`, which flushes nothing: snapshot [files] [rounds].

const maxFirst = 3;
const maxNext = 0.5;
const changedFiles = 10;
const files = numberArgument(0, 5_000);
const rounds = numberArgument(1, 5);

const root = await mkdtemp(join(tmpdir(), "dtaas-bench-snapshot-"));
try {
  const data = dataFolder(join(root, "data"));
  const mirrors = new Mirrors({ folder: data.git, git: {} });
  const commits = await prepare(mirrors.path(1));
  const worktree = await measure(rounds, (n) =>
    runGitIn(mirrors.path(1), ["worktree", "add", "--detach", "-f", join(root, `w${n}`), commits[0] ?? ""]),
  );
  const reference = percentile(worktree, 0.5);
  progress(`git worktree add: ${reference.toFixed(0)} ms`);

  const project = { id: 1, path: "dtaas/user1" };
  const first = await measure(rounds, async (n) => {
    const fresh = await Snapshots.open(dataFolder(join(root, `first${n}`)), mirrors);
    await fresh.ensure(project, commits[0] ?? "");
  });
  progress(`first snapshot: ${percentile(first, 0.5).toFixed(0)} ms`);
  const snapshots = await Snapshots.open(data, mirrors);
  await snapshots.ensure(project, commits[0] ?? "");
  const next = await measure(rounds, (n) => snapshots.ensure(project, commits[n + 1] ?? ""));
  progress(`next snapshot: ${percentile(next, 0.5).toFixed(0)} ms`);

  const value = percentile(first, 0.5);
  const nextMs = percentile(next, 0.5);
  report({
    name: `snapshot: ${files} files, first, and next with ${changedFiles} changed`,
    ...{ value, unit: "ms", p50: value, p99: percentile(first, 0.99), reference },
    aim: `first at most ${maxFirst}, next at most ${maxNext} times git worktree add`,
    met: value <= maxFirst * reference && nextMs <= maxNext * reference,
    more: { nextMs, nextRatio: nextMs / reference },
  });
} finally {
  await rm(root, { recursive: true, force: true });
}

async function prepare(gitDir: string): Promise<string[]> {
  await mkdir(gitDir, { recursive: true });
  runGitIn(gitDir, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
  const all: Record<string, string> = {};
  for (let n = 0; n < files; n += 1) all[pathOf(n)] = `${n} ${"x".repeat(n % 2_000)}`;
  progress(`preparing ${rounds + 1} commits of ${files} files`);
  const first = commitFiles(gitDir, all);
  runGitIn(gitDir, ["repack", "-adq"]); // as after a fetch
  const next = Array.from({ length: rounds }, (_, round) => {
    for (let n = 0; n < changedFiles; n += 1) all[pathOf(n * 7)] = `change ${round}`;
    return commitChanges(gitDir, all);
  });
  return [first, ...next];
}

/** Only what differs is written: hashing five thousand files one by one takes minutes. */
function commitChanges(gitDir: string, all: Record<string, string>): string {
  const lines = Array.from({ length: changedFiles }, (_, n) => pathOf(n * 7)).map((path) => {
    const id = runGitIn(gitDir, ["hash-object", "-w", "--stdin"], { input: all[path] ?? "" });
    return `100644 ${id}\t${path}`;
  });
  const env = { GIT_INDEX_FILE: join(gitDir, "test-index") };
  runGitIn(gitDir, ["update-index", "--index-info"], { input: `${lines.join("\n")}\n`, env });
  const tree = runGitIn(gitDir, ["write-tree"], { env });
  const commit = runGitIn(gitDir, ["commit-tree", "-m", "change", "-p", "refs/heads/main", tree]);
  runGitIn(gitDir, ["update-ref", "refs/heads/main", commit]);
  return commit;
}

function pathOf(n: number): string {
  return `digital_twins/t${n % 50}/f${n}.txt`;
}
