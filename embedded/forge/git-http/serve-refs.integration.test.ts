import { execFileSync } from "node:child_process";
import { appendFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listRefs } from "../git/list-refs.ts";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";
import { advertiseRefs } from "./advertise-refs.ts";
import { answerLsRefs, parseLsRefs } from "./ls-refs.ts";
import { packetLine } from "./packet-line.ts";

let world: ForgeWorld;
let gitDir: string;
let clone: string;
let turn = 0;
let project: string;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [{ username: "ada", name: "Ada" }],
    tokens: [{ username: "ada", name: "laptop", scopes: ["api"], value: "glpat-ada" }],
  });
});

beforeEach(async () => {
  project = `ada/twin-${++turn}`;
  const { id } = await world.forge.admin.ensureProject(project);
  gitDir = join(world.folder, "data", "repositories", `${id}.git`);
  clone = await world.clone(project, "ada", "glpat-ada");
});

afterAll(() => world.end());

const refsOf = (...lines: string[]) =>
  `${packetLine("command=ls-refs\n")}${packetLine("agent=git/2.39\n")}${packetLine("object-format=sha1")}0001${lines.map((line) => packetLine(`${line}\n`)).join("")}0000`;

const requests = [
  refsOf(),
  refsOf("symrefs"),
  refsOf("peel", "symrefs", "unborn", "ref-prefix refs/heads/", "ref-prefix refs/tags/", "ref-prefix HEAD"),
  refsOf("peel", "symrefs", "ref-prefix refs/heads/main", "ref-prefix refs/tags/refs/heads/main"),
  refsOf("symrefs", "unborn", "ref-prefix HEAD"),
  refsOf("peel", "ref-prefix refs/heads/feature/"),
  refsOf("ref-prefix refs/heads/mai", "ref-prefix refs/heads/main"),
  refsOf("ref-prefix nowhere"),
];

const authorization = `Basic ${Buffer.from("ada:glpat-ada").toString("base64")}`;

/** What git itself answers, run as the forge runs it. */
function askGit(args: string[], version: string, input = ""): string {
  const home = join(world.folder, "data", "git");
  return execFileSync("git", ["upload-pack", "--stateless-rpc", ...args, gitDir], {
    input,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: home,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: join(home, "config"),
      GIT_PROTOCOL: version,
    },
    stdio: ["pipe", "pipe", "pipe"],
  }).toString("utf8");
}

/** What the forge answers, and what git itself would. */
async function both(request: string): Promise<[string, string]> {
  const answer = await fetch(`${world.forge.url}/${project}.git/git-upload-pack`, {
    method: "POST",
    headers: { authorization, "content-encoding": "gzip", "git-protocol": "version=2" },
    body: gzipSync(request),
  });
  expect(answer.headers.get("content-type")).toBe("application/x-git-upload-pack-result");
  return [await answer.text(), askGit([], "version=2", request)];
}

/** What is answered without git; `undefined` where git is asked. */
function alone(request: string): string | undefined {
  const wanted = parseLsRefs(Buffer.from(request));
  const refs = wanted && listRefs(gitDir, wanted.prefixes.length === 0 ? [""] : wanted.prefixes);
  return wanted && refs && answerLsRefs(wanted, refs);
}

async function advertised(version: string): Promise<[string, string]> {
  const answer = await fetch(`${world.forge.url}/${project}.git/info/refs?service=git-upload-pack`, {
    headers: { authorization, ...(version === "" ? {} : { "git-protocol": version }) },
  });
  expect(answer.headers.get("content-type")).toBe("application/x-git-upload-pack-advertisement");
  const git = askGit(["--advertise-refs"], version);
  return [await answer.text(), `${packetLine("# service=git-upload-pack\n")}0000${git}`];
}

async function expectAsGit(): Promise<void> {
  const [told, gits] = await advertised("");
  expect(told).toBe(gits);
  for (const request of requests) {
    const [ours, git] = await both(request);
    expect(ours).toBe(git);
  }
}

const inRepository = (...args: string[]) => world.git(gitDir, ...args);

describe("refs are listed byte for byte as git lists them", () => {
  test("of a repository without commits", expectAsGit);

  test("of branches, loose, packed, and both with different heads", async () => {
    await world.push(clone, "a.txt", "1");
    for (const name of ["feature/x", "feature-y", "zoo", "Ärger", "main2", "a"]) {
      await world.git(clone, "push", "--quiet", "origin", `HEAD:refs/heads/${name}`);
    }
    await expectAsGit();
    await inRepository("pack-refs", "--all");
    await expectAsGit();
    await world.push(clone, "a.txt", "2");
    await world.git(clone, "push", "--quiet", "origin", ":zoo");
    await expectAsGit();
    for (const request of requests) expect(alone(request)).toBeDefined();
    const refs = listRefs(gitDir, [""]);
    expect(refs && advertiseRefs({ beforeHead: "", afterHead: "" }, refs)).toContain("HEAD\0refs/heads/main");
  });

  test("with light and annotated tags, packed or not", async () => {
    await world.push(clone, "a.txt", "1");
    await world.git(clone, "tag", "light");
    await world.git(clone, "tag", "-a", "heavy", "-m", "heavy");
    await world.git(clone, "push", "--quiet", "origin", "--tags");
    await expectAsGit();
    await inRepository("pack-refs", "--all");
    await expectAsGit();
  });

  test("with refs that nobody is shown, and HEAD on a branch that is gone", async () => {
    const id = await world.push(clone, "a.txt", "1");
    for (const ref of ["refs/dtaas/keep", "refs/pipelines/1", "refs/merge-requests/1/head"]) {
      await inRepository("update-ref", ref, id);
    }
    await expectAsGit();
    await inRepository("symbolic-ref", "HEAD", "refs/heads/nowhere");
    await expectAsGit();
  });

  test("where something is odd: a detached HEAD, a ref to a ref, a lock, a half-written ref, an empty folder", async () => {
    const id = await world.push(clone, "a.txt", "1");
    await inRepository("symbolic-ref", "refs/heads/alias", "refs/heads/main");
    await expectAsGit();
    await rm(join(gitDir, "refs", "heads", "alias"));
    await writeFile(join(gitDir, "refs", "heads", "main.lock"), id);
    await expectAsGit();
    await writeFile(join(gitDir, "refs", "heads", "broken"), "");
    await expectAsGit();
    await rm(join(gitDir, "refs", "heads", "broken"));
    await appendFile(join(gitDir, "HEAD"), "more\n");
    await writeFile(join(gitDir, "HEAD"), `${id}\n`);
    await expectAsGit();
    expect(alone(refsOf())).toBeUndefined();
  });
});

test("what is no list of refs in version 2 goes to git", async () => {
  await world.push(clone, "a.txt", "1");
  const odd = [
    refsOf("symrefs", "unknown-argument"),
    refsOf("symrefs").slice(0, -4),
    `${packetLine("command=object-info\n")}0000`,
    "0000",
    "zzzz",
  ];
  for (const request of odd) {
    const answer = await both(request).catch((error: Error) => error);
    if (answer instanceof Error)
      expect(answer.message).toMatch(/upload-pack/); // git refuses it, too
    else expect(answer[0]).toBe(answer[1]);
  }
});

test("git of protocol versions 0, 1 and 2 clones, fetches, lists and pushes", async () => {
  await world.push(clone, "a.txt", "1");
  const url = world.remote(project, "ada", "glpat-ada");
  for (const version of ["0", "1", "2"]) {
    const folder = `version-${turn}-${version}`;
    const git = ["-c", `protocol.version=${version}`];
    await world.git(world.folder, ...git, "clone", "--quiet", url, folder);
    const head = await world.push(clone, "a.txt", `for ${version}`);
    await world.git(join(world.folder, folder), ...git, "pull", "--quiet");
    expect(await world.git(join(world.folder, folder), "rev-parse", "HEAD")).toBe(head);
    expect(await world.git(world.folder, ...git, "ls-remote", url, "HEAD")).toBe(`${head}\tHEAD`);
    await world.git(
      join(world.folder, folder),
      ...git,
      "push",
      "--quiet",
      "origin",
      `HEAD:refs/heads/v${version}`,
    );
    await world.git(world.folder, ...git, "clone", "--quiet", "--depth=1", url, `${folder}-shallow`);
  }
});

test("what the forge can do is told as git tells it, to each version, also when it was told before", async () => {
  const versions = ["version=2", "version=2", "version=1", "version=0", "", "version=9", "version=2:x"];
  for (const version of versions) {
    const [ours, git] = await advertised(version);
    expect(ours).toBe(git);
  }
  await world.push(clone, "a.txt", "1");
  for (const version of versions) {
    const [ours, git] = await advertised(version);
    expect(ours).toBe(git);
  }
});
