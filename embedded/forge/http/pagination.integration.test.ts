import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

const projects = 250;
const files = 2_000;
let world: ForgeWorld;
let ada: InstanceType<typeof Gitlab>;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada" },
    ],
    groups: ["plant", ...Array.from({ length: 30 }, (_, index) => `plant/line-${30 - index}`)],
    members: [{ path: "plant", username: "ada", accessLevel: 50 }],
    tokens: [
      { username: "root", name: "t", scopes: ["api"], value: "glpat-root" },
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
    ],
  });
  const paths = Array.from({ length: projects }, (_, index) => `plant/twin-${index}`);
  await Promise.all(paths.map((path) => world.forge.admin.ensureProject(path)));
  ada = new Gitlab({ host: world.forge.url, token: "glpat-ada" });
  const actions = Array.from({ length: files }, (_, index) => ({
    action: "create" as const,
    filePath: `data/${String(index).padStart(4, "0")}.csv`,
    content: String(index),
  }));
  await ada.Commits.create("plant/twin-0", "main", "many files", actions);
});

afterAll(() => world.end());

function get(path: string, token = "glpat-ada"): Promise<Response> {
  const address = path.startsWith("http") ? path : `${world.forge.url}/api/v4/${path}`;
  return fetch(address, { headers: { "private-token": token } });
}

/** Follows `Link` from page to page, as a client does. */
async function follow(
  path: string,
  token?: string,
): Promise<{ pages: Response[]; items: Record<string, unknown>[] }> {
  const pages: Response[] = [];
  const items: Record<string, unknown>[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page: Response = await get(next, token);
    expect(page.status).toBe(200);
    pages.push(page);
    items.push(...((await page.json()) as Record<string, unknown>[]));
    next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
  }
  return { pages, items };
}

test("numbered pages over 250 projects hold each of them once, and say how many there are", async () => {
  const { pages, items } = await follow("projects?per_page=100&simple=true&order_by=id&sort=asc");
  expect(new Set(items.map((each) => each["id"])).size).toBe(projects);
  expect(items).toHaveLength(projects);
  const [first, , last] = pages;
  expect([first?.headers.get("x-total"), first?.headers.get("x-total-pages")]).toEqual(["250", "3"]);
  expect([first?.headers.get("x-next-page"), last?.headers.get("x-next-page")]).toEqual(["2", ""]);
  expect(first?.headers.get("link")).toMatch(/rel="next".*rel="first".*rel="last"/);
  expect(first?.headers.get("link")).toContain("simple=true");
});

test("keyset pages over 250 projects hold each of them once, both ways, also when one goes meanwhile", async () => {
  const path = "projects?pagination=keyset&order_by=id&per_page=60&simple=true";
  const down = await follow(path);
  expect(down.pages).toHaveLength(5);
  expect(down.pages[0]?.headers.get("link")).toMatch(/id_before=\d+.*rel="next"/);
  expect(down.pages[0]?.headers.has("x-total")).toBe(false);
  const ids = down.items.map((each) => Number(each["id"]));
  expect(ids).toEqual([...ids].sort((a, b) => b - a));
  const up = await follow(`${path}&sort=asc`);
  expect(up.items.map((each) => each["id"])).toEqual([...ids].reverse());

  const first = await get(path);
  await get(`projects/${ids[59]}`); // the last of the first page goes
  await fetch(`${world.forge.url}/api/v4/projects/${ids[59]}`, {
    method: "DELETE",
    headers: { "private-token": "glpat-root" },
  });
  const next = /<([^>]+)>/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
  const rest = await follow(next);
  expect(rest.items.map((each) => each["id"])).toEqual(ids.slice(60));
});

test("keyset pages of what is not ordered by its key are refused as GitLab does", async () => {
  const answer = await get("projects?pagination=keyset&order_by=name");
  expect([answer.status, await answer.json()]).toEqual([
    405,
    { error: "Keyset pagination is not yet available for this type of request" },
  ]);
  expect((await get("users?pagination=keyset&cursor=%7B")).status).toBe(400);
});

test("people and groups come in keyset pages too", async () => {
  const users = await follow("users?pagination=keyset&per_page=1", "glpat-root");
  expect(users.items.map((each) => each["username"])).toEqual(["ada", "root"]);
  const groups = await follow("groups?pagination=keyset&order_by=name&sort=asc&per_page=7");
  expect(groups.items).toHaveLength(31);
  expect(new Set(groups.items.map((each) => each["id"])).size).toBe(31);
  expect(groups.pages[0]?.headers.get("link")).toMatch(/cursor=/);
});

test("a tree of 2,000 files is read whole page by page, numbered and by token", async () => {
  const numbered = await follow("projects/plant%2Ftwin-0/repository/tree?path=data&per_page=100");
  expect(numbered.items).toHaveLength(files);
  expect(numbered.pages[0]?.headers.get("x-total")).toBe(String(files));
  const keyset = await follow(
    "projects/plant%2Ftwin-0/repository/tree?recursive=true&pagination=keyset&per_page=100",
  );
  expect(keyset.items).toHaveLength(files + 1);
  expect(keyset.pages).toHaveLength(21);
  expect(new Set(keyset.items.map((each) => each["path"])).size).toBe(files + 1);
  expect(
    (await ada.Repositories.allRepositoryTrees("plant/twin-0", { path: "data", perPage: 100 })).length,
  ).toBe(files);
});

test("who pages through a tree by token reads one commit, whatever is pushed meanwhile", async () => {
  const path = "projects/plant%2Ftwin-0/repository/tree?path=data&pagination=keyset&per_page=100";
  const first = await get(path);
  await ada.Commits.create("plant/twin-0", "main", "one more in front", [
    { action: "create", filePath: "data/0000-a.csv", content: "new" },
  ]);
  const rest = await follow(/<([^>]+)>/.exec(first.headers.get("link") ?? "")?.[1] ?? "");
  const names = rest.items.map((each) => each["name"]);
  expect(names).toHaveLength(files - 100);
  expect(names[0]).toBe("0100.csv");
});

test("what has not changed is answered with 304 and no body", async () => {
  for (const path of ["projects/plant%2Ftwin-1", "projects/plant%2Ftwin-0/repository/branches"]) {
    const first = await get(path);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^W\/"/);
    const headers = { "private-token": "glpat-ada", "if-none-match": etag };
    const again = await fetch(`${world.forge.url}/api/v4/${path}`, { headers });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  }
  const path = `${world.forge.url}/api/v4/projects/plant%2Ftwin-1`;
  const etag = (await get(path)).headers.get("etag") ?? "";
  await ada.Projects.edit("plant/twin-1", { description: "another" });
  const headers = { "private-token": "glpat-ada", "if-none-match": etag };
  expect((await fetch(path, { headers })).status).toBe(200);
});
