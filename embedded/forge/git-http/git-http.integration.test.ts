import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;

beforeAll(async () => {
  world = await forgeWorld();
  const { admin } = world.forge;
  await admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada", password: "ada-password" },
      { username: "bob", name: "Bob", password: "bob-password" },
      { username: "eve", name: "Eve", password: "eve-password" },
    ],
    projects: [{ path: "dtaas/ada" }, { path: "dtaas/open", visibility: "public" }],
    members: [
      { path: "dtaas/ada", username: "ada", accessLevel: 40 },
      { path: "dtaas/ada", username: "bob", accessLevel: 20 },
    ],
    tokens: [
      { username: "ada", name: "laptop", scopes: ["api"], value: "glpat-ada" },
      { username: "ada", name: "reader", scopes: ["read_repository"], value: "glpat-ada-reader" },
    ],
  });
});

afterAll(() => world.end());

test("a push and a clone work with a token and with a password", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const id = await world.push(clone, "readme.md", "hello");
  const again = await world.clone("dtaas/ada", "ada", "ada-password");
  expect(await world.git(again, "rev-parse", "HEAD")).toBe(id);
  expect(await world.git(again, "branch", "--show-current")).toBe("main");
});

test("a wrong password is refused and git says so", async () => {
  await expect(world.clone("dtaas/ada", "ada", "wrong")).rejects.toThrow(/Authentication failed/);
});

test("somebody without membership cannot tell a private project from none at all", async () => {
  await expect(world.clone("dtaas/ada", "eve", "eve-password")).rejects.toThrow(
    /not found|could not be found/,
  );
  await expect(world.clone("dtaas/none", "eve", "eve-password")).rejects.toThrow(
    /not found|could not be found/,
  );
  const [ada, none] = await Promise.all(
    ["ada", "none"].map((name) =>
      fetch(`${world.forge.url}/dtaas/${name}.git/info/refs?service=git-upload-pack`),
    ),
  );
  expect([ada?.status, none?.status]).toEqual([401, 401]);
  expect(ada?.headers.get("www-authenticate")).toBe('Basic realm="GitLab"');
});

test("a reporter reads and may not push", async () => {
  const clone = await world.clone("dtaas/ada", "bob", "bob-password");
  await expect(world.push(clone, "bob.txt", "hi")).rejects.toThrow(/403/);
});

test("a token that may only read is not enough to push", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada-reader");
  await expect(world.push(clone, "x.txt", "x")).rejects.toThrow(/403/);
});

test("a public project is cloned without credentials but never pushed to without", async () => {
  const target = `${world.folder}/open`;
  await world.git(world.folder, "clone", "--quiet", `${world.forge.url}/dtaas/open.git`, target);
  await expect(world.push(target, "x.txt", "x")).rejects.toThrow(/could not read Username/);
});

test("shallow clones, partial clones and fetching a commit by its id work", async () => {
  const source = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const first = await world.push(source, "one.txt", "1");
  await world.push(source, "two.txt", "2");
  const url = world.remote("dtaas/ada", "ada", "glpat-ada");
  await world.git(world.folder, "clone", "--quiet", "--depth=1", url, "shallow");
  expect(await world.git(`${world.folder}/shallow`, "rev-list", "--count", "HEAD")).toBe("1");
  await world.git(`${world.folder}/shallow`, "fetch", "--quiet", "--depth=1", "origin", first);
  expect(await world.git(`${world.folder}/shallow`, "cat-file", "-t", first)).toBe("commit");
  await world.git(world.folder, "clone", "--quiet", "--filter=blob:none", url, "partial");
  expect(await world.git(`${world.folder}/partial`, "show", "HEAD:two.txt")).toBe("2");
});

test("the default branch is neither rewritten nor deleted by a push, other branches are", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  await world.push(clone, "three.txt", "3");
  await world.git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/feature/x");
  await world.git(clone, "commit", "--quiet", "--amend", "-m", "rewritten");
  await expect(world.git(clone, "push", "--force", "origin", "HEAD:main")).rejects.toThrow(
    /not allowed to force push code to a protected branch/,
  );
  await expect(world.git(clone, "push", "origin", ":main")).rejects.toThrow(/delete protected branches/);
  await world.git(clone, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/feature/x");
  const head = await world.git(clone, "rev-parse", "HEAD");
  expect(await world.git(clone, "ls-remote", "origin", "refs/heads/feature/x")).toContain(head);
  await world.git(clone, "push", "--quiet", "origin", ":feature/x");
  expect(await world.git(clone, "ls-remote", "origin", "refs/heads/feature/x")).toBe("");
});

test("a maintainer can open the default branch to being rewritten", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  await world.git(clone, "commit", "--quiet", "--amend", "-m", "rewritten on purpose");
  const rule = `${world.forge.url}/api/v4/projects/dtaas%2Fada/protected_branches/main`;
  const set = (allowed: boolean) =>
    fetch(`${rule}?allow_force_push=${allowed}`, {
      method: "PATCH",
      headers: { "private-token": "glpat-ada" },
    });
  expect((await set(true)).status).toBe(200);
  await world.git(clone, "push", "--quiet", "--force", "origin", "HEAD:main");
  const head = await world.git(clone, "rev-parse", "HEAD");
  expect(await world.git(clone, "ls-remote", "origin", "refs/heads/main")).toContain(head);
  await set(false);
});

test("of two pushes at once to one branch one wins and the other is told to fetch first", async () => {
  const clones = await Promise.all(["a", "b"].map(() => world.clone("dtaas/ada", "ada", "glpat-ada")));
  const pushes = await Promise.allSettled(
    clones.map((clone, index) => world.push(clone, `race-${index}.txt`, String(index))),
  );
  expect(pushes.map((each) => each.status).sort()).toEqual(["fulfilled", "rejected"]);
  const lost = pushes.find((each) => each.status === "rejected");
  expect(String(lost?.status === "rejected" && lost.reason)).toMatch(/rejected|failed to (push|update)/);
});

test("pushes to different branches at once all arrive", async () => {
  const clones = await Promise.all(
    Array.from({ length: 6 }, () => world.clone("dtaas/ada", "ada", "glpat-ada")),
  );
  await Promise.all(
    clones.map(async (clone, index) => {
      await world.git(clone, "switch", "--quiet", "-c", `many-${index}`);
      await world.push(clone, `many-${index}.txt`, "x");
    }),
  );
  const [clone = ""] = clones;
  const listed = await world.git(clone, "ls-remote", "origin", "refs/heads/many-*");
  expect(listed.split("\n")).toHaveLength(6);
});

test("a large push arrives whole", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  const text = Array.from({ length: 200_000 }, (_, index) => Math.sin(index)).join("\n");
  const id = await world.push(clone, "large.csv", text);
  const again = await world.clone("dtaas/ada", "ada", "glpat-ada");
  expect(await world.git(again, "rev-parse", "HEAD")).toBe(id);
});

test("a client that goes away in mid-push leaves the branch alone and the forge serving", async () => {
  const before = await world.git(
    world.folder,
    "ls-remote",
    world.remote("dtaas/ada", "ada", "glpat-ada"),
    "refs/heads/main",
  );
  const leaving = new AbortController();
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from("00b4")),
    pull: () => leaving.abort(),
  });
  const request = fetch(`${world.forge.url}/dtaas/ada.git/git-receive-pack`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from("ada:glpat-ada").toString("base64")}` },
    body: stream,
    duplex: "half",
    signal: leaving.signal,
  } as RequestInit);
  await expect(request).rejects.toThrow();
  expect(
    await world.git(
      world.folder,
      "ls-remote",
      world.remote("dtaas/ada", "ada", "glpat-ada"),
      "refs/heads/main",
    ),
  ).toBe(before);
});

test("a compressed request is understood", async () => {
  const answer = await fetch(`${world.forge.url}/dtaas/ada.git/git-upload-pack`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from("ada:glpat-ada").toString("base64")}`,
      "content-encoding": "gzip",
      "content-type": "application/x-git-upload-pack-request",
      "git-protocol": "version=2",
    },
    body: gzipSync("0014command=ls-refs\n0000"),
  });
  expect(answer.headers.get("content-type")).toBe("application/x-git-upload-pack-result");
  expect(await answer.text()).toContain("refs/heads/main");
});

test("internal references take no push", async () => {
  const clone = await world.clone("dtaas/ada", "ada", "glpat-ada");
  await expect(world.git(clone, "push", "origin", "HEAD:refs/dtaas/x")).rejects.toThrow(/hidden ref/);
  await expect(world.git(clone, "push", "origin", "HEAD:refs/pipelines/1")).rejects.toThrow(/hidden ref/);
});

test("addresses that try to leave the repositories are refused", async () => {
  const authorization = `Basic ${Buffer.from("ada:glpat-ada").toString("base64")}`;
  const get = (path: string) => fetch(`${world.forge.url}${path}`, { headers: { authorization } });
  const outside = "/..%2F..%2Fetc.git/info/refs?service=git-upload-pack";
  expect((await get(outside)).status).toBe(404);
  expect((await get("/dtaas/%ZZ.git/info/refs?service=git-upload-pack")).status).toBe(404);
  expect((await get("/dtaas/ada.git/info/refs?service=git-upload-archive")).status).toBe(403);
  expect((await get("/dtaas/ada.git/HEAD")).status).toBe(403);
});

test("everything is still there after a restart", async () => {
  const url = world.remote("dtaas/ada", "ada", "ada-password");
  const before = await world.git(world.folder, "ls-remote", url);
  await world.restart();
  expect(await world.git(world.folder, "ls-remote", url)).toBe(before);
});
