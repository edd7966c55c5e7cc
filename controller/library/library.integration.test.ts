import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Items, Problem } from "#schemas/api";
import type {
  LibraryAsset,
  LibraryChange,
  LibraryEntry,
  LibraryPage,
  LibraryRepositoryView,
  LibrarySearch,
} from "#schemas/library";
import { OpenApiChecker } from "#schemas/openapi-checker";
import { openApiDocument } from "../http/openapi.ts";
import { maxUploadBytes } from "./library-limits.ts";
import { LibraryWorld } from "./testing/library-world.ts";

const run = promisify(execFile);
const checker = new OpenApiChecker(openApiDocument("0.0.0"));
const everyByte = Buffer.from(Uint8Array.from({ length: 4096 }, (_, n) => (n * 31) % 256));
const umlauts = "Größe: 3 µm – 模型 🏭\n";
let world: LibraryWorld;

beforeAll(async () => {
  world = await LibraryWorld.start();
  const common = await world.clone("dtaas/common", "root");
  await mkdir(join(common, "models/tank/resources"), { recursive: true });
  await writeFile(join(common, "models/tank/README.md"), "# Water tank\n\nA tank with a leaking valve.\n");
  await writeFile(join(common, "models/tank/tank.fmu"), everyByte);
  await writeFile(join(common, "models/tank/resources/größe.txt"), umlauts);
  await writeFile(join(common, "models/tank/solve"), "#!/bin/sh\n", { mode: 0o755 });
  await world.git(common, "add", "-A");
  await world.git(common, "commit", "-q", "-m", "feat: add a tank");
  await world.git(common, "push", "-q", "origin", "HEAD:main");
});
afterAll(async () => await world.end());
beforeEach(() => void world.asked.splice(0));

/** Asks, holds the answer against the OpenAPI document, and gives its status, body and headers. */
async function ask<T = LibraryChange>(
  who: string,
  method: string,
  path: string,
  options: Parameters<LibraryWorld["ask"]>[3] = {},
) {
  const response = await world.ask(who, method, path, options);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const plain = decodeURI(path.split("?", 1)[0] ?? "");
  if (response.status !== 304) {
    expect(checker.problems({ method, path: plain, status: response.status, type, body: text })).toEqual([]);
  }
  const body = (type.includes("json") ? JSON.parse(text) : text) as T;
  return { status: response.status, body, headers: response.headers };
}

const put = (who: string, path: string, bytes: Uint8Array | string, headers: Record<string, string> = {}) =>
  ask<LibraryChange & Problem>(who, "PUT", path, { bytes: Buffer.from(bytes), headers });

/** As a form of a browser sends files. */
function form(files: Record<string, Uint8Array | string>, executables: string[] = []): FormData {
  const data = new FormData();
  for (const name of executables) data.append("executable", name);
  for (const [name, content] of Object.entries(files)) {
    data.append("files", new Blob([Buffer.from(content)]), name);
  }
  return data;
}

test("a folder of many files is uploaded as one commit of its owner, byte for byte", async () => {
  const files = {
    "dt.yaml": "apiVersion: dtaas/v1\n",
    "model/größe 模型.fmu": everyByte,
    "notes/ä ö ü.md": umlauts,
    "lifecycle/execute": "#!/bin/sh\n",
    empty: "",
  };
  const made = await ask("ada", "POST", "/library/ada/upload?into=digital_twins/pump&message=Pumpe+für+Ada", {
    bytes: form(files, ["lifecycle/execute"]),
  });
  expect(made.status).toBe(201);
  expect(made.body.files).toHaveLength(5);
  expect(world.moved).toContain(`dtaas/ada ${made.body.commit}`); // so that its twins start without a webhook, too
  const { files: inGit, log } = await world.inGit("dtaas/ada", "ada");
  expect(log).toEqual(["Ada <ada@example.org>: Pumpe für Ada"]);
  expect(inGit.size).toBe(5);
  for (const [name, content] of Object.entries(files)) {
    expect(inGit.get(`digital_twins/pump/${name}`)?.content.equals(Buffer.from(content))).toBe(true);
  }
  expect(inGit.get("digital_twins/pump/lifecycle/execute")?.mode).toBe("100755");
  expect(inGit.get("digital_twins/pump/dt.yaml")?.mode).toBe("100644");
});

test("a text with umlauts is read and written back as it was", async () => {
  const path = "/library/ada/files/digital_twins/pump/notes/%C3%A4%20%C3%B6%20%C3%BC.md";
  const read = await world.ask("ada", "GET", path);
  const bytes = Buffer.from(await read.arrayBuffer());
  expect(bytes.toString()).toBe(umlauts);
  const again = await put("ada", path, bytes, { "if-match": read.headers.get("etag") ?? "" });
  expect(again).toMatchObject({ status: 200, body: { changed: false } });
  const more = await put("ada", path, `${umlauts}é`, { "if-match": read.headers.get("etag") ?? "" });
  expect(more).toMatchObject({ status: 201, body: { files: [{ action: "update" }] } });
  const now = await world.ask("ada", "GET", path);
  expect(await now.text()).toBe(`${umlauts}é`);
  expect(now.headers.get("etag")).toBe(more.headers.get("etag"));
});

test("a file of any kind at any depth is edited, its executable bit kept or changed", async () => {
  const path = "/library/ada/files/digital_twins/pump/lifecycle/execute";
  const read = await world.ask("ada", "GET", path);
  expect(read.headers.get("dtaas-executable")).toBe("true");
  await put("ada", `${path}?replace=true`, "#!/bin/sh\nexit 0\n");
  const kept = await world.inGit("dtaas/ada", "ada");
  expect(kept.files.get("digital_twins/pump/lifecycle/execute")).toEqual({
    content: Buffer.from("#!/bin/sh\nexit 0\n"),
    mode: "100755",
  });
  const made = await put("ada", `${path}?replace=true&executable=false`, "#!/bin/sh\nexit 0\n");
  expect(made.body.files).toEqual([{ path: "digital_twins/pump/lifecycle/execute", action: "chmod" }]);
  const changed = await world.inGit("dtaas/ada", "ada");
  expect(changed.files.get("digital_twins/pump/lifecycle/execute")?.mode).toBe("100644");
});

test("assets are listed from the mirror: where nothing changed, the Git host is asked nothing", async () => {
  const list = () => ask<LibraryPage<LibraryAsset>>("ada", "GET", "/library/common/assets");
  const first = await list();
  expect(first.body.items).toEqual([
    expect.objectContaining({
      kind: "models",
      name: "tank",
      folder: true,
      files: 4,
      title: "Water tank",
      description: "A tank with a leaking valve.",
    }),
  ]);
  world.asked.splice(0);
  const again = await list();
  expect(again.body).toEqual(first.body);
  await ask<LibraryPage<LibraryEntry>>("ada", "GET", "/library/common/folder?path=models/tank");
  await ask<LibrarySearch>("ada", "GET", "/library/search?q=leak&repository=common");
  await world
    .ask("ada", "GET", "/library/common/files/models/tank/tank.fmu")
    .then((read) => read.arrayBuffer());
  expect(world.asked).toEqual([]);
  const known = await ask("ada", "GET", "/library/common/assets", {
    headers: { "if-none-match": first.headers.get("etag") ?? "" },
  });
  expect(known.status).toBe(304);
});

test("a long list comes in pages of one commit, even while others push", async () => {
  const files = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`f${n}.py`, `# ${n}\n`]));
  await ask("bob", "POST", "/library/bob/upload?into=functions", { bytes: form(files) });
  const first = await ask<LibraryPage<LibraryAsset>>("bob", "GET", "/library/bob/assets?limit=3");
  await ask("bob", "DELETE", "/library/bob/files/functions/f3.py");
  const names = first.body.items.map(({ name }) => name);
  for (let { next } = first.body; next !== null; ) {
    const query = `limit=3&commit=${first.body.commit}&after=${encodeURIComponent(next)}`;
    const page = await ask<LibraryPage<LibraryAsset>>("bob", "GET", `/library/bob/assets?${query}`);
    names.push(...page.body.items.map(({ name }) => name));
    next = page.body.next;
  }
  expect(names).toEqual(Object.keys(files));
  const now = await ask<LibraryPage<LibraryAsset>>("bob", "GET", "/library/bob/assets");
  expect(now.body.items.map(({ name }) => name)).not.toContain("f3.py");
});

test("search finds by beginnings of words in names and texts, only in what may be seen", async () => {
  const names = async (who: string, words: string) => {
    const query = `/library/search?q=${encodeURIComponent(words)}`;
    const { body } = await ask<LibrarySearch>(who, "GET", query);
    return body.items.map(({ repository, path }) => `${repository}/${path}`);
  };
  expect(await names("ada", "tan")).toEqual(["dtaas/common/models/tank"]);
  expect(await names("ada", "valve leak")).toEqual(["dtaas/common/models/tank"]);
  expect(await names("ada", "valve nowhere")).toEqual([]);
  expect(await names("bob", "tan")).toEqual([]);
  expect(await names("eve", "f1")).toEqual([]);
  expect(await names("bob", "f1")).toEqual(["dtaas/bob/functions/f1.py"]);
});

test("what somebody else has changed since is never overwritten: the file is named and nothing is committed", async () => {
  const path = "/library/bob/files/functions/f0.py";
  const seen = await world.ask("bob", "GET", path);
  await seen.arrayBuffer();
  const [tag, commit] = [seen.headers.get("etag") ?? "", seen.headers.get("dtaas-commit") ?? ""];
  const clone = await world.clone("dtaas/bob", "bob");
  await writeFile(join(clone, "functions/f0.py"), "# pushed with git\n");
  await world.git(clone, "commit", "-q", "-a", "-m", "fix: by git");
  await world.git(clone, "push", "-q", "origin", "HEAD:main");

  const late = { status: 412, body: { code: "PRECONDITION_FAILED", where: { file: "functions/f0.py" } } };
  expect(await put("bob", path, "mine", { "if-match": tag })).toMatchObject(late);
  expect(await ask("bob", "DELETE", path, { headers: { "if-match": tag } })).toMatchObject(late);
  const conflict = { status: 409, body: { code: "FILE_CHANGED", where: { file: "functions/f0.py" } } };
  expect(await put("bob", `${path}?base=${commit}`, "mine")).toMatchObject(conflict);
  const changes = [
    { action: "write", path: "functions/f1.py", content: "mine" },
    { action: "move", from: "functions/f0.py", to: "functions/moved.py" },
  ];
  const both = await ask("bob", "POST", "/library/bob/changes", { body: { baseCommit: commit, changes } });
  expect(both).toMatchObject(conflict);
  expect(await ask("bob", "DELETE", `/library/bob/files/functions?base=${commit}`)).toMatchObject({
    status: 422,
    body: { code: "PATH_NOT_ASSET" },
  });
  expect(await put("bob", path, "mine")).toMatchObject({ status: 409, body: { code: "FILE_EXISTS" } });
  expect(await put("bob", path, "mine", { "if-none-match": "*" })).toMatchObject({ status: 412 });
  const { files, log } = await world.inGit("dtaas/bob", "bob");
  expect(files.get("functions/f0.py")?.content.toString()).toBe("# pushed with git\n");
  expect(files.get("functions/f1.py")?.content.toString()).toBe("# 1\n");
  expect(log[0]).toBe("Pusher <pusher@example.org>: fix: by git");

  // Files that were not touched can still be changed from the older commit.
  const other = await put("bob", `/library/bob/files/functions/f1.py?base=${commit}`, "mine");
  expect(other.status).toBe(201);
});

test("a push in the very moment of a commit is not overwritten either, whatever was asked for", async () => {
  const clone = await world.clone("dtaas/bob", "bob");
  const pushes = (file: string, content: string) => async () => {
    await world.git(clone, "pull", "-q", "--rebase", "origin", "main");
    await writeFile(join(clone, file), content);
    await world.git(clone, "add", "-A");
    await world.git(clone, "commit", "-q", "-m", `push ${file}`);
    await world.git(clone, "push", "-q", "origin", "HEAD:main");
  };
  const conflict = { status: 409, body: { code: "FILE_CHANGED", where: { file: "functions/f2.py" } } };
  world.inBetween = pushes("functions/f2.py", "# pushed\n");
  expect(await put("bob", "/library/bob/files/functions/f2.py?replace=true", "mine")).toMatchObject(conflict);
  world.inBetween = pushes("functions/f2.py", "# pushed again\n");
  expect(await ask("bob", "DELETE", "/library/bob/files/functions/f2.py")).toMatchObject(conflict);
  world.inBetween = pushes("functions/both.py", "# pushed\n");
  expect(await put("bob", "/library/bob/files/functions/both.py", "mine")).toMatchObject({
    status: 409,
    body: { code: "FILE_CHANGED", where: { file: "functions/both.py" } },
  });
  world.inBetween = pushes("functions/unrelated.py", "# pushed\n");
  expect((await put("bob", "/library/bob/files/functions/f2.py?replace=true", "mine")).status).toBe(201);
  const { files } = await world.inGit("dtaas/bob", "bob");
  const text = (path: string) => files.get(`functions/${path}`)?.content.toString();
  expect([text("both.py"), text("f2.py"), text("unrelated.py")]).toEqual([
    "# pushed\n",
    "mine",
    "# pushed\n",
  ]);
});

test("folders are moved and removed whole, each in one commit", async () => {
  await ask("bob", "POST", "/library/bob/upload?into=tools/old", {
    bytes: form({ run: "#!/bin/sh\n", "lib/a.bin": everyByte }, ["run"]),
  });
  const before = (await world.inGit("dtaas/bob", "bob")).log.length;
  const changes = [{ action: "move", from: "tools/old", to: "tools/new name" }];
  expect((await ask("bob", "POST", "/library/bob/changes", { body: { changes } })).status).toBe(201);
  const moved = await world.inGit("dtaas/bob", "bob");
  expect(moved.log).toHaveLength(before + 1);
  expect([...moved.files.keys()].filter((path) => path.startsWith("tools/"))).toEqual([
    "tools/new name/lib/a.bin",
    "tools/new name/run",
  ]);
  expect(moved.files.get("tools/new name/run")?.mode).toBe("100755");
  expect(moved.files.get("tools/new name/lib/a.bin")?.content.equals(everyByte)).toBe(true);
  const gone = await ask("bob", "DELETE", "/library/bob/files/tools/new%20name");
  expect(gone.body.files).toHaveLength(2);
  const after = await world.inGit("dtaas/bob", "bob");
  expect([...after.files.keys()].some((path) => path.startsWith("tools/"))).toBe(false);
});

test("an asset is copied from the shared repository with its binary files and executable bits", async () => {
  const changes = [{ action: "copy", repository: "common", from: "models/tank", to: "models/my-tank" }];
  const made = await ask("ada", "POST", "/library/ada/changes", { body: { changes } });
  expect(made.status).toBe(201);
  const [mine, shared] = [await world.inGit("dtaas/ada", "ada"), await world.inGit("dtaas/common", "root")];
  for (const [path, file] of shared.files) {
    expect(mine.files.get(path.replace("models/tank", "models/my-tank"))).toEqual(file);
  }
  const hidden = await ask("bob", "POST", "/library/bob/changes", { body: { changes } });
  expect(hidden.status).toBe(404);
});

test("a folder is downloaded as tar, tar.gz and zip that unpack to the same", async () => {
  const folder = await world.folder("unpacked");
  const unpack = { tar: ["tar", "-xf"], "tar.gz": ["tar", "-xzf"], zip: ["python3", "-m", "zipfile", "-e"] };
  for (const [format, [program = "", ...args]] of Object.entries(unpack)) {
    const read = await world.ask("ada", "GET", `/library/common/archive?path=models/tank&format=${format}`);
    expect(read.status).toBe(200);
    const into = join(folder, format.replace(".", "-"));
    await mkdir(into, { recursive: true });
    const file = join(folder, `a.${format}`);
    await writeFile(file, Buffer.from(await read.arrayBuffer()));
    const words = program === "tar" ? [...args, file, "-C", into] : [...args, file, into];
    await run(program, words);
    expect((await readFile(join(into, "tank/tank.fmu"))).equals(everyByte)).toBe(true);
    expect(await readFile(join(into, "tank/resources/größe.txt"), "utf8")).toBe(umlauts);
    if (program === "tar") {
      const { stdout } = await run("stat", ["-c", "%a", join(into, "tank/solve")]);
      expect(stdout.trim()).toMatch(/^7[0-7][0-7]$/);
    }
  }
});

test.each([
  ["GET", "/library/ada/files/..%2F..%2Fsecret", 422],
  ["GET", "/library/ada/files/models/..%2F..%2Fx", 422],
  ["GET", "/library/ada/files/.git/config", 422],
  ["GET", "/library/ada/folder?path=../bob", 422],
  ["GET", "/library/ada/archive?path=/etc", 422],
  ["PUT", "/library/ada/files/models/..%2F..%2Fx", 422],
  ["PUT", "/library/ada/files/models/.GIT/config", 422],
  ["PUT", "/library/ada/files/models/a%0Ab", 422],
  ["PUT", "/library/ada/files/models/git~1/x", 422],
  ["PUT", "/library/ada/files/.gitlab-ci.yml", 422],
  ["PUT", "/library/ada/files/digital_twins/1%20pump!/dt.yaml", 422],
  ["GET", "/library/..%2Fada/assets", 404],
  ["GET", "/library/platform/assets", 404],
  ["GET", "/library/bob/assets", 404],
  ["GET", "/library/bob/files/functions/f0.py", 404],
  ["PUT", "/library/bob/files/functions/x.py", 404],
  ["PUT", "/library/common/files/functions/x.py", 403],
  ["DELETE", "/library/common/files/models/tank", 403],
])("%s %s of a path or right that is not hers ends with %i", async (method, path, status) => {
  const before = await world.head("dtaas/ada");
  const response = await world.ask("ada", method, path, method === "PUT" ? { bytes: Buffer.from("x") } : {});
  expect(response.status).toBe(status);
  expect(((await response.json()) as Problem).code).toMatch(
    /^(PATH_REFUSED|PATH_NOT_ASSET|TWIN_NAME_REFUSED|NOT_FOUND|NOT_ALLOWED)$/,
  );
  expect(await world.head("dtaas/ada")).toBe(before);
});

test("an upload with one bad name, or beyond a limit, names it and commits nothing", async () => {
  const before = await world.head("dtaas/ada");
  const upload = (bytes: FormData | Uint8Array, type?: string) =>
    ask<Problem>("ada", "POST", "/library/ada/upload?into=models/x", {
      bytes,
      headers: type === undefined ? {} : { "content-type": type },
    });
  const bad = await upload(form({ "good.txt": "1", "../../bad.txt": "2" }));
  expect(bad).toMatchObject({ status: 422, body: { code: "PATH_REFUSED" } });
  expect(bad.body.where?.file).toContain("bad.txt");
  const twice = await upload(form({ a: "1", "a/b": "2" }));
  expect(twice.body).toMatchObject({ code: "CHANGES_OVERLAP", where: { file: "models/x/a/b" } });
  const large = await upload(form({ "small.bin": "1", "large.bin": Buffer.alloc(maxUploadBytes + 1) }));
  expect(large).toMatchObject({ status: 413, body: { code: "UPLOAD_TOO_LARGE" } });
  expect(large.body.detail).toContain("large.bin");
  const sum = await upload(
    form({ a: Buffer.alloc(maxUploadBytes / 2), b: Buffer.alloc(maxUploadBytes / 2 + 1) }),
  );
  expect(sum.body).toMatchObject({ code: "UPLOAD_TOO_LARGE", where: { file: "b" } });
  expect((await upload(Buffer.from("no tar"), "application/x-tar")).body.code).toBe("UPLOAD_REFUSED");
  expect((await upload(Buffer.from("x"), "text/plain")).status).toBe(415);
  const single = await put("ada", "/library/ada/files/models/big", Buffer.alloc(maxUploadBytes + 1));
  expect(single.status).toBe(413);
  expect(await world.head("dtaas/ada")).toBe(before);
});

test("a tar with a link in it is refused by name", async () => {
  const folder = await world.folder("with-link");
  await run("ln", ["-sf", "/etc/passwd", join(folder, "passwd")]);
  const { stdout } = await run("tar", ["-cf", "-", "-C", folder, "passwd"], { encoding: "buffer" });
  const answer = await ask<Problem>("ada", "POST", "/library/ada/upload?into=data", {
    bytes: stdout,
    headers: { "content-type": "application/x-tar" },
  });
  expect(answer.body).toMatchObject({ code: "UPLOAD_REFUSED", where: { file: "passwd" } });
});

test("an empty repository lists nothing, and its first upload is its first commit", async () => {
  const empty = await ask<LibraryPage<LibraryAsset>>("ada", "GET", "/library/empty/assets");
  expect(empty.body).toEqual({ repository: "dtaas/empty", commit: null, items: [], next: null });
  const made = await put("ada", "/library/empty/files/data/first.csv", "1\n");
  expect(made.status).toBe(201);
  const now = await ask<LibraryPage<LibraryAsset>>("ada", "GET", "/library/empty/assets");
  expect(now.body).toMatchObject({ commit: made.body.commit, items: [{ path: "data/first.csv" }] });
});

test("two who write at once both get in where they touch different files", async () => {
  const write = (n: number) => put("bob", `/library/bob/files/data/parallel-${n}.csv`, `${n}\n`);
  const made = await Promise.all([0, 1].map(write));
  expect(made.map(({ status }) => status)).toEqual([201, 201]);
  const { files } = await world.inGit("dtaas/bob", "bob");
  expect([...files.keys()].filter((path) => path.includes("parallel-"))).toHaveLength(2);
});

test("repositories are listed with their heads, only those that may be seen", async () => {
  const list = async (who: string) =>
    (await ask<Items<LibraryRepositoryView>>(who, "GET", "/library")).body.items.map(
      ({ repository, kind }) => `${repository} ${kind}`,
    );
  expect(await list("ada")).toEqual(["dtaas/ada user", "dtaas/empty user", "dtaas/common shared"]);
  expect(await list("eve")).toEqual([]);
  expect(await list("root")).toEqual([
    "dtaas/ada user",
    "dtaas/bob user",
    "dtaas/empty user",
    "dtaas/common shared",
  ]);
});

interface Answer {
  data?: Record<string, { repository: { tree?: unknown; blobs?: unknown } } | null>;
  errors?: { message: string; extensions?: { code?: string } }[];
}

test("a member of a group that platform.yaml names reads the shared repository, and does not change it", async () => {
  const read = () => world.ask("eve", "GET", "/library/common/assets");
  expect((await read()).status).toBe(404);
  world.groupReaders.add("eve dtaas/common");
  try {
    expect((await read()).status).toBe(200);
    const written = await world.ask("eve", "PUT", "/library/common/files/models/a.txt", {
      bytes: Buffer.from("a"),
    });
    expect(written.status).toBe(404);
  } finally {
    world.groupReaders.clear();
  }
});

test("programs of the earlier library service get folders and files in its shapes", async () => {
  const graphql = (who: string, query: string) =>
    ask<Answer>(who, "POST", "/library/graphql", { body: { query } });
  const tree = "repository { tree { blobs { edges { node { name type } } } trees { nodes { name type } } } }";
  const listed = await graphql("ada", `{ listDirectory(path: "common/models/tank") { ${tree} } }`);
  expect(listed.body.data?.["listDirectory"]?.repository.tree).toEqual({
    blobs: {
      edges: ["README.md", "solve", "tank.fmu"].map((name) => ({ node: { name, type: "blob" } })),
    },
    trees: { nodes: [{ name: "resources", type: "tree" }] },
  });
  const blob = "repository { blobs { nodes { name rawBlob rawTextBlob } } }";
  const read = await graphql(
    "ada",
    `{ readFile(path: "common/models/tank/resources/größe.txt") { ${blob} } }`,
  );
  expect(read.body.data?.["readFile"]?.repository.blobs).toEqual({
    nodes: [{ name: "größe.txt", rawBlob: umlauts, rawTextBlob: umlauts }],
  });
  const binary = await graphql("ada", `{ readFile(path: "common/models/tank/tank.fmu") { ${blob} } }`);
  expect(binary.body.data?.["readFile"]?.repository.blobs).toMatchObject({ nodes: [{ rawBlob: null }] });
  const top = await graphql("ada", `{ listDirectory(path: "") { ${tree} } }`);
  expect(JSON.stringify(top.body)).toContain('"name":"common"');
  expect(JSON.stringify(top.body)).not.toContain("bob");
});

test("the GraphQL face shows nothing that may not be seen, and refuses what is too deep, too much or too curious", async () => {
  const graphql = (query: string, who = "ada") =>
    ask<Answer>(who, "POST", "/library/graphql", { body: { query } });
  const names = "repository { tree { trees { nodes { name } } } }";
  for (const path of ["bob", "bob/functions", "platform", "nobody"]) {
    const { body } = await graphql(`{ listDirectory(path: "${path}") { ${names} } }`);
    expect(body).toEqual({ data: { listDirectory: null } });
  }
  for (const path of ["ada/../bob", "ada/.git/config"]) {
    const { body } = await graphql(`{ listDirectory(path: "${path}") { ${names} } }`);
    expect(body.errors?.[0]?.extensions?.code).toBe("PATH_REFUSED");
  }
  const ask11 = Array.from({ length: 11 }, (_, n) => `q${n}: listDirectory(path: "ada") { ${names} }`);
  const refused: [string, RegExp][] = [
    [`{ ${ask11.join(" ")} }`, /10 folders and files/],
    ["{ __schema { types { name } } }", /introspection/i],
    [`{ listDirectory(path: "ada") { ...f } } fragment f on Project { ${names} }`, /Fragments/],
    [`{ ${"a { ".repeat(20)} b ${"} ".repeat(20)} }`, /deeper than 8/],
    [`{ ${"a ".repeat(2_000)} }`, /500 tokens/],
    ["{", /Syntax Error/],
  ];
  for (const [query, says] of refused) {
    const { status, body } = await graphql(query);
    expect(status).toBe(400);
    expect(body.data).toBeUndefined();
    expect(JSON.stringify(body.errors)).toMatch(says);
  }
});
