import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Browser, type Shown } from "../testing/browser.ts";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

const evil = `<script>alert("x")</script>`;
const evilBranch = `a/<script>b'"&</script>`;
const evilFile = `<img src=x onerror=alert(1)>.md`;
const ada = { username: "ada", password: "a long password" };
const bob = { username: "bob", password: "b long password" };

let world: ForgeWorld;
let browser: Browser;
let commit: string;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { ...ada, name: evil },
      { ...bob, name: "Bob" },
    ],
    groups: ["team"],
    projects: [{ path: "team/one" }, { path: "team/empty" }, { path: "team/open", visibility: "public" }],
    members: [
      { path: "team", username: "ada", accessLevel: 40 },
      { path: "team/one", username: "bob", accessLevel: 10 },
    ],
    tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
  });
  const clone = await world.clone("team/one", "ada", "glpat-ada");
  await mkdir(join(clone, "docs", "deep"), { recursive: true });
  const readme = [
    "# Title & more",
    evil,
    "[bad](javascript:alert(1)) [data](data:text/html,x) [good](docs/deep/b.md) [far](https://example.org/?a=1&b=2)",
    `![picture](http://evil.example/track.png '${evil}')`,
    "<b onclick=alert(1)>bold</b>",
    "`code <i>`",
  ].join("\n\n");
  await writeFile(join(clone, "README.md"), readme);
  await writeFile(join(clone, "docs", "deep", "b.md"), `up: [a](../c.txt)\n\n${evil}\n`);
  await writeFile(join(clone, "docs", "c.txt"), `plain ${evil}\n`);
  await writeFile(join(clone, "data.bin"), Buffer.from([0, 1, 2, 3]));
  await writeFile(join(clone, evilFile), evil);
  await world.push(clone, "page.html", `<html>${evil}</html>`);
  await world.git(clone, "checkout", "--quiet", "-b", evilBranch);
  await world.git(
    clone,
    "-c",
    `user.name=${evil.replaceAll(/[<>]/g, "")}`,
    "commit",
    "--allow-empty",
    "--quiet",
    "-m",
    `${evil}\n\nbody ${evil}`,
  );
  commit = await world.push(clone, "docs/c.txt", `plain ${evil}\nline two\n`);
  const { url } = world.forge;
  const call = (method: string, path: string, body: object) =>
    fetch(`${url}/api/v4${path}`, {
      method,
      headers: { "private-token": "glpat-ada", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await call("PUT", "/projects/team%2Fone", { description: evil, name: "One" });
  for (const [name, target_url] of [
    [evil, "https://example.org/<script>"],
    ["dtaas/one", "https://example.org/runs/1?a=b&c=d"],
  ]) {
    const made = await call("POST", `/projects/team%2Fone/statuses/${commit}`, {
      state: "failed",
      name,
      target_url,
      description: evil,
    });
    expect(made.status).toBe(201);
  }
  browser = new Browser();
  await signIn(browser, ada);
});

afterAll(() => world.end());

async function signIn(as: Browser, user: typeof ada): Promise<Shown> {
  return await as.send(await as.open(`${world.forge.url}/users/sign_in`), "/users/sign_in", user);
}

const open = (path: string) => browser.open(world.forge.url + path);

function links(shown: Shown): string[] {
  return [...shown.text.matchAll(/href="([^"]*)"/g)].map(([, href = ""]) =>
    href.replaceAll("&#39;", "'").replaceAll("&amp;", "&"),
  );
}

test("every page that leads on from the first can be opened, and nothing that people wrote becomes markup", async () => {
  const seen = new Set<string>();
  const waiting = ["/"];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const shown = await open(path);
    expect(shown.status, path).toBe(200);
    if (!shown.headers.get("content-type")?.includes("html")) continue;
    expect(shown.text, path).not.toMatch(/<script|<img|<b onclick|<i>/i);
    expect(shown.headers.get("content-security-policy"), path).toContain("script-src 'none'");
    for (const href of links(shown)) {
      expect(href, path).not.toMatch(/^\s*(javascript|data|vbscript):/i);
      if (href.startsWith("/")) waiting.push(href);
    }
  }
  expect(seen.size).toBeGreaterThan(30);
  expect([...seen].filter((path) => path.includes(encodeURIComponent("<script>b'\"&<")))).not.toEqual([]);
});

test("the project shows its files and its README as it was meant", async () => {
  const shown = await open("/team/one");
  expect(shown.text).toContain("<h1>Title &amp; more</h1>");
  expect(shown.text).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
  expect(shown.text).toContain('href="https://example.org/?a=1&amp;b=2" rel="nofollow noopener noreferrer"');
  expect(shown.text).toContain("[image: picture]");
  expect(shown.text).toContain(`git clone ${world.forge.url}/team/one.git`);
  expect(links(shown)).toContain("/team/one/-/blob/main/docs/deep/b.md");
  expect((await open("/team/empty")).text).toContain("Nothing has been pushed yet");
});

test("files are shown at any branch or commit, and sent as they are without a browser running them", async () => {
  const branch = evilBranch.split("/").map(encodeURIComponent).join("/");
  const file = await open(`/team/one/-/blob/${branch}/docs/c.txt`);
  expect(file.text).toContain("line two");
  expect((await open(`/team/one/-/blob/${commit}/docs/c.txt`)).text).toContain("line two");
  expect((await open("/team/one/-/blob/main/docs/c.txt")).text).not.toContain("line two");
  expect((await open("/team/one/-/blob/main/data.bin")).text).toContain("This file is no text");
  const raw = await open("/team/one/-/raw/main/page.html");
  expect(raw.text).toBe(`<html>${evil}</html>`);
  expect(raw.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(raw.headers.get("content-security-policy")).toContain("sandbox");
  expect(raw.headers.get("x-content-type-options")).toBe("nosniff");
});

test("a commit shows what it changes and what programs say about it", async () => {
  const shown = await open(`/team/one/-/commit/${commit}`);
  expect(shown.text).toContain('<td class="number"></td><td class="number">2</td><td>+line two</td>');
  expect(shown.text).toContain('<a href="https://example.org/runs/1?a=b&amp;c=d"');
  expect(shown.text).toContain('<span class="bad">failed</span>');
});

test("what is not there, or not for them, is a page that says so", async () => {
  for (const path of [
    "/nobody/nothing",
    "/team/one/-/blob/main/none",
    "/team/one/-/tree/none",
    "/team/one/-/commit/1234",
    "/team/one/-/nothing",
    "/team/one/-/blob/main/..%2f..%2fetc",
    "/%E0%A4%A",
  ]) {
    const shown = await open(path);
    expect([400, 404], path).toContain(shown.status);
    expect(shown.headers.get("content-type"), path).toContain("text/html");
  }
  const guest = new Browser();
  await signIn(guest, bob);
  const files = await guest.open(`${world.forge.url}/team/one/-/tree/main`);
  expect(files.status).toBe(403);
  expect((await guest.open(`${world.forge.url}/team/empty`)).status).toBe(404);
});

test("a public project is open to strangers, and programs are answered as before", async () => {
  const { url } = world.forge;
  const stranger = new Browser();
  expect((await stranger.open(`${url}/team/open`)).text).toContain("Nothing has been pushed yet");
  expect((await stranger.open(`${url}/`)).text).toContain("team/open");
  const program = await fetch(`${url}/nothing/here`);
  expect([program.status, await program.json()]).toEqual([404, { error: "404 Not Found" }]);
});

test("pages are usable without sight, on a phone, and in the keyboard's order", async () => {
  for (const path of ["/", "/team/one", `/team/one/-/commit/${commit}`]) {
    const { text } = await open(path);
    expect(text, path).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(text, path).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(text.match(/<main id="content">/g)?.length, path).toBe(1);
    expect(text.indexOf('href="#content"'), path).toBeLessThan(text.indexOf("<header>"));
    expect(text.match(/<h1/g)?.length, path).toBeGreaterThan(0);
  }
  const { text } = await new Browser().open(`${world.forge.url}/users/sign_in`);
  for (const name of ["username", "password"]) expect(text).toContain(`<label for="${name}">`);
});
