import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ForgeWorld, forgeWorld, hookReceiver } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

const project = "dtaas/ada";
let world: ForgeWorld;
let ada: InstanceType<typeof Gitlab>;
let clone: string;
let first: string;
let second: string;
let side: string;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada", email: "ada@example.org" },
    ],
    projects: [{ path: project }, { path: "dtaas/secret" }],
    members: [{ path: project, username: "ada", accessLevel: 40 }],
    tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
  });
  ada = new Gitlab({ host: world.forge.url, token: "glpat-ada", rateLimits: { "**": 100_000 } });
  clone = await world.clone(project, "ada", "glpat-ada");
  await mkdir(join(clone, "twins"));
  await writeFile(join(clone, "twins/old name.yaml"), "a: 1\nb: 2\nc: 3\nd: 4\n");
  await writeFile(join(clone, "gone.txt"), "gone\n");
  first = await world.push(clone, "twins/run.sh", "one\ndiff --git is not a head here\n");
  await world.git(clone, "switch", "--quiet", "-c", "side");
  side = await world.push(clone, "side.txt", "side\n");
  await world.git(clone, "switch", "--quiet", "main");
  await world.git(clone, "mv", "twins/old name.yaml", "twins/new name.yaml");
  await rm(join(clone, "gone.txt"));
  await writeFile(join(clone, "bytes.bin"), Buffer.from([0, 1, 2]));
  second = await world.push(clone, "twins/run.sh", "two\ndiff --git is not a head here\n");
});

afterAll(() => world.end());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  const address = `${world.forge.url}/api/v4/projects/dtaas%2Fada/repository/${path}`;
  return fetch(address, { headers: { "private-token": "glpat-ada", ...headers } });
}

test("the diff of a commit tells what was added, changed, renamed and removed", async () => {
  const diff = await ada.Commits.showDiff(project, second);
  const seen = Object.fromEntries(diff.map((each) => [each.new_path, each]));
  expect(Object.keys(seen).sort()).toEqual(["bytes.bin", "gone.txt", "twins/new name.yaml", "twins/run.sh"]);
  expect(seen["gone.txt"]).toMatchObject({ deleted_file: true, b_mode: "0", diff: "@@ -1 +0,0 @@\n-gone\n" });
  expect(seen["bytes.bin"]).toMatchObject({ new_file: true, a_mode: "0", b_mode: "100644" });
  expect(seen["bytes.bin"]?.diff).toMatch(/^Binary files .* differ\n$/);
  expect(seen["twins/new name.yaml"]).toMatchObject({
    renamed_file: true,
    old_path: "twins/old name.yaml",
    diff: "",
    too_large: false,
  });
  expect(seen["twins/run.sh"]?.diff).toBe("@@ -1,2 +1,2 @@\n-one\n+two\n diff --git is not a head here\n");
  const root = await ada.Commits.showDiff(project, first);
  expect(root.every((each) => each.new_file)).toBe(true);
});

test("a unified diff can be applied by git", async () => {
  const json = (await (await get(`compare?from=${first}&to=${second}&unidiff=true`)).json()) as {
    diffs: { diff: string; new_path: string }[];
  };
  const patch = json.diffs.find((each) => each.new_path === "twins/run.sh")?.diff ?? "";
  const other = await world.clone(project, "ada", "glpat-ada");
  await world.git(other, "checkout", "--quiet", first);
  await writeFile(join(world.folder, "run.patch"), patch);
  await world.git(other, "apply", join(world.folder, "run.patch"));
  expect(await readFile(join(other, "twins/run.sh"), "utf8")).toMatch(/^two\n/);
});

test("a file that changed by more than 200 KB is named without its text", async () => {
  await world.git(clone, "switch", "--quiet", "side");
  const id = await world.push(clone, "large.csv", "0123456789\n".repeat(30_000));
  expect(await ada.Commits.showDiff(project, id)).toMatchObject([
    { new_path: "large.csv", too_large: true, diff: "" },
  ]);
});

interface Comparison {
  commits: { id: string }[];
  diffs: { new_path: string }[];
}

async function compare(from: string, to: string, more = ""): Promise<Comparison> {
  return (await (await get(`compare?from=${from}&to=${to}${more}`)).json()) as Comparison;
}

test("two branches are compared from where they parted, or straight", async () => {
  const compared = await compare(side, "main");
  expect(compared.commits.map((each) => each.id)).toEqual([second]);
  expect(compared).toMatchObject({ commit: { id: second }, compare_timeout: false, compare_same_ref: false });
  expect(compared.diffs.some((each) => each.new_path === "side.txt")).toBe(false);
  const straight = await compare(side, "main", "&straight=true");
  expect(straight.diffs.find((each) => each.new_path === "side.txt")).toMatchObject({ deleted_file: true });
  const same = await ada.Repositories.compare(project, "main", "main");
  expect(same).toMatchObject({ commit: null, commits: [], diffs: [], compare_same_ref: true });
  expect(await rejection(ada.Repositories.compare(project, "main", "nowhere"))).toBe("404 404 Ref Not Found");
  expect(await rejection(ada.Repositories.compare("dtaas/secret", "main", "main"))).toMatch(/^404 .*Project/);
});

test("the best common ancestor is found, and unknown names are told", async () => {
  expect(await ada.Repositories.mergeBase(project, ["main", "side"])).toMatchObject({ id: first });
  expect(await rejection(ada.Repositories.mergeBase(project, ["main", "x", "y"]))).toBe(
    "400 Could not find refs: x, y",
  );
  expect(await rejection(ada.Repositories.mergeBase(project, ["main"]))).toBe("400 Provide at least 2 refs");
});

test("a commit tells the branches and tags that hold it", async () => {
  await world.git(clone, "push", "--quiet", "origin", `${first}:refs/tags/start`);
  expect(await ada.Commits.allReferences(project, first)).toEqual([
    { type: "branch", name: "main" },
    { type: "branch", name: "side" },
    { type: "tag", name: "start" },
  ]);
  expect(await ada.Commits.allReferences(project, second, { type: "tag" })).toEqual([]);
});

test("tags are made, light and with a message, listed, announced and removed", async () => {
  const receiver = await hookReceiver();
  await ada.ProjectHooks.add(project, receiver.url, { pushEvents: false, tagPushEvents: true });
  const light = await ada.Tags.create(project, "v1", "main");
  expect(light).toMatchObject({
    name: "v1",
    message: "",
    target: second,
    commit: { id: second },
    release: null,
  });
  const noted = await ada.Tags.create(project, "v2", first, { message: "The second" });
  expect(noted).toMatchObject({ message: "The second", commit: { id: first } });
  expect(noted.target).not.toBe(first);
  await world.git(clone, "fetch", "--quiet", "--tags", "origin");
  expect(await world.git(clone, "cat-file", "-t", "v2")).toBe("tag");
  expect(await world.git(clone, "fsck", "--strict")).not.toMatch(/error/);
  expect(
    (await ada.Tags.all(project, { orderBy: "name", sort: "asc", search: "^v" })).map((each) => each.name),
  ).toEqual(["v1", "v2"]);
  expect(await rejection(ada.Tags.create(project, "v1", "main"))).toBe("400 Tag v1 already exists");
  expect(await rejection(ada.Tags.create(project, "v3", "nowhere"))).toBe("400 Target nowhere is invalid");
  expect(await rejection(ada.Tags.create(project, "a..b", "main"))).toBe("400 Tag name invalid");
  await ada.Tags.remove(project, "v1");
  expect(await rejection(ada.Tags.show(project, "v1"))).toBe("404 404 Tag Not Found");
  await vi.waitFor(() => expect(receiver.received).toHaveLength(3), { timeout: 10_000 });
  await receiver.close();
});

test("a blob is read by its id, with its bytes as they are", async () => {
  const [entry] = (await ada.Repositories.allRepositoryTrees(project, { ref: second })).filter(
    (each) => each.path === "bytes.bin",
  );
  const id = entry?.id ?? "";
  expect(await (await get(`blobs/${id}`)).json()).toEqual({
    size: 3,
    encoding: "base64",
    content: "AAEC",
    sha: id,
  });
  const raw = await get(`blobs/${id}/raw`);
  expect(raw.headers.get("content-type")).toBe("application/octet-stream");
  expect(Buffer.from(await raw.arrayBuffer())).toEqual(Buffer.from([0, 1, 2]));
  expect((await get(`blobs/${first}`)).status).toBe(404);
  expect((await get("blobs/main")).status).toBe(404);
});

test.each([
  ["archive", "tar.gz", ["tar", "-xzf"]],
  ["archive.tar", "tar", ["tar", "-xf"]],
  ["archive.zip", "zip", ["python3", "-m", "zipfile", "-e"]],
])("%s unpacks to the files of the commit", async (path, ending, [program = "", ...args]) => {
  const answer = await get(`${path}?sha=main`);
  expect(answer.status).toBe(200);
  const name = `ada-main-${second}`;
  expect(answer.headers.get("content-disposition")).toBe(`attachment; filename="${name}.${ending}"`);
  const folder = await mkdtemp(join(world.folder, "unpacked-"));
  const file = join(folder, `archive.${ending}`);
  await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  execFileSync(program, [...args, file, ...(ending === "zip" ? [folder] : [])], { cwd: folder });
  expect(await readFile(join(folder, name, "twins/run.sh"), "utf8")).toMatch(/^two\n/);
  const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
  expect((await get(`${path}?sha=main`, headers)).status).toBe(304);
});

test("an archive can be of one folder only, and what is not there is refused", async () => {
  const answer = await get("archive.tar?sha=main&path=twins");
  const text = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  expect(text).toContain("twins/run.sh");
  expect(text).not.toContain("bytes.bin");
  expect((await get("archive?sha=nowhere")).status).toBe(404);
  expect((await get("archive?sha=main&path=nowhere")).status).toBe(404);
  expect((await get("archive.tar.bz2")).status).toBe(501);
});
