import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mirrors } from "#controller/assets/mirrors";
import { Snapshots } from "#controller/assets/snapshots";
import { dataFolder, projectFolder } from "#core/data-folder";
import { runGitIn } from "#test/fixtures/git-http-server";
import { until } from "./platform/bench-platform.ts";
import { type Files, writeCommits } from "./platform/write-commits.ts";
import { measure, percentile } from "./report/measure.ts";
import { processorSeconds } from "./report/process-figures.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// First snapshot of a repository and the next ones with ten files changed, at once and a moment later, against `git worktree add`;
// the flush comes later and nobody waits for it: snapshot [files] [rounds].

const maxFirst = 3;
const maxNext = 0.5;
const changedFiles = 10;
const files = numberArgument(0, 5_000);
const rounds = numberArgument(1, 5);

const opened: Snapshots[] = [];
const root = await mkdtemp(join(tmpdir(), "dtaas-bench-snapshot-"));
try {
  const data = dataFolder(join(root, "data"));
  const mirrors = new Mirrors({ folder: data.git, git: {} });
  const commits = await prepare(mirrors.path(1));
  const commitAt = (n: number) => {
    const commit = commits[n];
    if (commit === undefined) throw new Error(`there is no commit ${n} to measure`);
    return commit;
  };
  const worktree = await withProcessor((n) =>
    runGitIn(mirrors.path(1), ["worktree", "add", "--detach", "-f", join(root, `w${n}`), commitAt(0)]),
  );
  const reference = worktree.ms;
  progress(`git worktree add: ${reference.toFixed(0)} ms`);

  const project = { id: 1, path: "dtaas/user1" };
  const first = await withProcessor(async (n) => {
    const fresh = await Snapshots.open(dataFolder(join(root, `first${n}`)), mirrors);
    opened.push(fresh);
    await fresh.ensure(project, commitAt(0));
  });
  progress(`first snapshot: ${first.ms.toFixed(0)} ms`);
  const snapshots = await Snapshots.open(data, mirrors);
  opened.push(snapshots);
  await snapshots.ensure(project, commitAt(0));
  const next = await withProcessor((n) => snapshots.ensure(project, commitAt(n + 1)));
  progress(`next snapshot, one after the other: ${next.ms.toFixed(0)} ms`);
  const folder = join(data.snapshots, ".spare", projectFolder(project.path));
  const linkedAhead = async () => (await readdir(folder)).length > 0;
  const afterPause = await withProcessor((n) => snapshots.ensure(project, commitAt(rounds + n + 1)), {
    before: () => until("the next snapshot is linked ahead", linkedAhead),
  });
  progress(`next snapshot, after a pause: ${afterPause.ms.toFixed(0)} ms`);

  report({
    name: `snapshot: ${files} files, first, and next with ${changedFiles} changed`,
    ...{ value: first.ms, unit: "ms", p50: first.ms, p99: first.p99Ms, reference },
    aim: `first at most ${maxFirst}, next at most ${maxNext} times git worktree add`,
    met: first.ms <= maxFirst * reference && next.ms <= maxNext * reference,
    more: {
      ...{ nextMs: next.ms, nextRatio: next.ms / reference },
      ...{ afterPauseMs: afterPause.ms, afterPauseRatio: afterPause.ms / reference },
      ...{ firstProcessorMs: first.processorMs, nextProcessorMs: next.processorMs },
      ...{ afterPauseProcessorMs: afterPause.processorMs, aheadProcessorMs: afterPause.beforeProcessorMs },
      referenceProcessorMs: worktree.processorMs,
    },
  });
} finally {
  await Promise.all(opened.map((one) => one.close()));
  await rm(root, { recursive: true, force: true });
}

/**
 * Median of the time of one round, and the processor time of one, that of the processes it started included. What
 * `before` takes is counted apart.
 */
async function withProcessor(
  task: (n: number) => unknown,
  { before }: { before?: () => Promise<void> } = {},
) {
  const spent: number[] = [];
  let seconds = 0;
  let secondsBeforehand = 0;
  for (let n = 0; n < rounds; n += 1) {
    const secondsAtFirst = await processorSeconds(process.pid);
    await before?.();
    const secondsBefore = await processorSeconds(process.pid);
    secondsBeforehand += secondsBefore - secondsAtFirst;
    spent.push(...(await measure(1, () => task(n))));
    seconds += (await processorSeconds(process.pid)) - secondsBefore;
  }
  spent.sort((a, b) => a - b);
  return {
    ms: percentile(spent, 0.5),
    p99Ms: percentile(spent, 0.99),
    processorMs: (seconds * 1_000) / rounds,
    beforeProcessorMs: (secondsBeforehand * 1_000) / rounds,
  };
}

/** Commits in one pack, as after a fetch. */
async function prepare(gitDir: string): Promise<string[]> {
  await mkdir(gitDir, { recursive: true });
  runGitIn(gitDir, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
  const first: Files = {};
  for (let n = 0; n < files; n += 1) first[pathOf(n)] = `${n} ${"x".repeat(n % 2_000)}`;
  progress(`preparing ${2 * rounds + 1} commits of ${files} files`);
  const next = Array.from(
    { length: 2 * rounds },
    (_, round): Files =>
      Object.fromEntries(Array.from({ length: changedFiles }, (_, n) => [pathOf(n * 7), `change ${round}`])),
  );
  const commits = await writeCommits(gitDir, [first, ...next]);
  runGitIn(gitDir, ["update-ref", "refs/heads/main", commits.at(-1) ?? ""]);
  runGitIn(gitDir, ["repack", "-adq"]);
  return commits;
}

function pathOf(n: number): string {
  return `digital_twins/t${n % 50}/f${n}.txt`;
}
