import fs from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import isomorphicGit from "isomorphic-git";
import { GitReader } from "#controller/assets/git-reader";
import { Mirrors } from "#controller/assets/mirrors";
import { runGit } from "#controller/assets/run-git";
import { SmallRepository } from "#controller/assets/small/small-repository";
import { commitFiles, GitHttpServer, runGitIn } from "#test/fixtures/git-http-server";
import { measure, percentile } from "./report/measure.ts";
import { report } from "./report/report.ts";

// Native git against isomorphic-git, use by use; docs/adr/0002-reading-git.md draws the conclusion.

const fetches = 30;
const limits = { timeoutMs: 30_000, maxOutputBytes: 64 * 1024 * 1024 };
const folder = await mkdtemp(join(tmpdir(), "bench-git-"));
const mirrors = new Mirrors({ folder, git: {} });
const server = await GitHttpServer.start(join(folder, "served"));

function fill(projectId: number, files: Record<string, string>): Promise<string> {
  const gitDir = mirrors.path(projectId);
  fs.mkdirSync(gitDir, { recursive: true });
  runGitIn(gitDir, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
  const commit = commitFiles(gitDir, files);
  runGitIn(gitDir, ["repack", "-adq"]); // as after a first fetch
  return Promise.resolve(commit);
}

function native(projectId: number, ...args: string[]): Promise<Buffer> {
  return runGit({}, { gitDir: mirrors.path(projectId), args, ...limits });
}

function compare(name: string, chosen: number[], other: number[]): void {
  const value = percentile(chosen, 0.5);
  const reference = percentile(other, 0.5);
  const aim = "the way we chose is not slower than the other one";
  const p99 = percentile(chosen, 0.99);
  report({ name, value, unit: "ms", p50: value, p99, reference, aim, met: value <= reference * 1.1 });
}

try {
  const small = await fill(1, { "digital_twins/a/dt.yaml": "kind: DigitalTwin\n", "README.md": "read me\n" });
  const manyFiles = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, n) => {
      return [`digital_twins/t${n % 40}/d${n % 5}/f${n}.txt`, `file ${n} ${"x".repeat(n % 900)}`];
    }),
  );
  const large = await fill(2, manyFiles);
  const file = "digital_twins/a/dt.yaml";
  const gitdir = mirrors.path(1);

  compare(
    "head of a branch: isomorphic-git, against git rev-parse",
    await measure(100, () => isomorphicGit.resolveRef({ fs, gitdir, ref: "refs/heads/main" })),
    await measure(100, () => native(1, "rev-parse", "refs/heads/main")),
  );
  compare(
    "tree and two files of a small repository: isomorphic-git in memory, against git ls-tree and cat-file",
    await measure(100, async () => {
      const repository = await SmallRepository.open(gitdir);
      const entries = (await repository?.list(small)) ?? [];
      for (const { id, kind } of entries) if (kind === "file") await repository?.blob(id);
    }),
    await measure(100, async () => {
      await native(1, "ls-tree", "-r", "-t", "-z", "-l", "--full-tree", small);
      await native(1, "cat-file", "blob", `${small}:${file}`);
    }),
  );
  compare(
    "tree of 2,000 files: git ls-tree, against isomorphic-git",
    await measure(20, () => {
      mirrors.listings.forget(2);
      return GitReader.open(mirrors, 2, large);
    }),
    await measure(10, () => walk(mirrors.path(2), large, {})),
  );
  const reader = await GitReader.open(mirrors, 2, large);
  compare(
    "content of 2,000 files: git cat-file --batch, against isomorphic-git",
    await measure(10, () => reader.readAll(Object.keys(manyFiles), 10_000)),
    await measure(3, async () => {
      const cache = {};
      for (const { id, kind } of reader.entries) {
        if (kind === "file") await isomorphicGit.readBlob({ fs, gitdir: mirrors.path(2), oid: id, cache });
      }
    }),
  );
  compare(
    "fetch of a small push over HTTP: isomorphic-git, against git fetch",
    await measureFetches("in process"),
    await measureFetches("with git"),
  );
} finally {
  await server.close();
  await rm(folder, { recursive: true, force: true });
}

/** One commit after the other is fetched as it appears on the host. */
async function measureFetches(small: "in process" | "with git"): Promise<number[]> {
  const access = server.create(small.replace(" ", "-"));
  const project = { id: 10, path: "", defaultBranch: "main", webUrl: "" };
  const fetching = new Mirrors({ folder: join(folder, small), git: {}, small });
  const commits = Array.from({ length: fetches + 1 }, (_, n) =>
    commitFiles(access.gitDir, { "README.md": `version ${n}\n`, "models/tank.py": "level = 1\n" }),
  );
  const next = async (n: number) => {
    await writeFile(join(access.gitDir, "refs", "heads", "main"), `${commits[n]}\n`);
    await fetching.fetch(project, access);
  };
  await next(0);
  const spent: number[] = [];
  for (let n = 1; n <= fetches; n += 1) spent.push(...(await measure(1, () => next(n))));
  return spent.sort((a, b) => a - b);
}

async function walk(gitdir: string, oid: string, cache: object): Promise<void> {
  const { tree } = await isomorphicGit.readTree({ fs, gitdir, oid, cache });
  for (const entry of tree) if (entry.type === "tree") await walk(gitdir, entry.oid, cache);
}
