import { afterAll, beforeAll, expect, test } from "vitest";
import { Browser, type Shown } from "../../testing/browser.ts";
import { type ForgeWorld, forgeWorld } from "../../testing/forge-world.ts";

const evil = `<script>alert("x")</script>`;
const people = ["ada", "bob", "gus"].map((username) => ({
  username,
  password: `${username}'s long password`,
}));

let world: ForgeWorld;
let clone: string;
let ada: Browser;
let bob: Browser;
let gus: Browser;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      ...people.map((each) => ({ ...each, name: `${each.username} ${evil}` })),
    ],
    groups: ["team"],
    projects: [{ path: "team/one" }],
    members: [
      { path: "team/one", username: "ada", accessLevel: 30 },
      { path: "team/one", username: "bob", accessLevel: 40 },
      { path: "team/one", username: "gus", accessLevel: 20 },
    ],
    tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
  });
  clone = await world.clone("team/one", "ada", "glpat-ada");
  await world.push(clone, "a.txt", Array.from({ length: 30 }, (_, n) => `line ${n + 1}\n`).join(""));
  [ada, bob, gus] = (await Promise.all(people.map(signIn))) as [Browser, Browser, Browser];
});

afterAll(() => world.end());

async function signIn(user: { username: string; password: string }): Promise<Browser> {
  const browser = new Browser();
  await browser.send(await browser.open(`${world.forge.url}/users/sign_in`), "/users/sign_in", user);
  return browser;
}

const at = (path: string) => `${world.forge.url}/team/one/-/${path}`;

/** A branch with a change, pushed by Ada. */
async function change(branch: string, line: string): Promise<void> {
  await world.git(clone, "checkout", "--quiet", "main");
  await world.git(clone, "pull", "--quiet");
  await world.git(clone, "checkout", "--quiet", "-b", branch);
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n + 1}\n`);
  lines[14] = `${line}\n`;
  await world.push(clone, "a.txt", lines.join(""));
}

async function opened(branch: string, title: string): Promise<Shown> {
  const form = await ada.open(at(`merge_requests/new?source_branch=${branch}`));
  return await ada.send(form, "/merge_requests", {
    source_branch: branch,
    target_branch: "main",
    title,
    description: `# Why\n\n${evil}`,
  });
}

const iidOf = (shown: Shown) => /merge_requests\/(\d+)/.exec(shown.url)?.[1] ?? "";

async function show(browser: Browser, iid: string, query = ""): Promise<Shown> {
  const shown = await browser.open(at(`merge_requests/${iid}${query}`));
  expect(shown.status).toBe(200);
  expect(shown.text).not.toContain("<script");
  return shown;
}

test("somebody opens a merge request, somebody else talks about a line, approves and merges: all with a browser", async () => {
  await change("better", "a better line");
  const branches = await ada.open(at("branches"));
  expect(branches.text).toContain("/team/one/-/merge_requests/new?source_branch=better");
  const mine = await opened("better", `Better ${evil}`);
  const iid = iidOf(mine);
  expect(mine.text).toContain("<h1>Better &lt;script&gt;");
  expect(mine.text).toContain("<h1>Why</h1>");
  expect((await bob.open(at("merge_requests"))).text).toContain("Better &lt;script&gt;");

  const page = await show(bob, iid);
  expect(page.text).toContain("<td>+a better line</td>");
  const [, ask = ""] = /href="([^"]*at=_15#ask)"/.exec(page.text) ?? [];
  const asked = await bob.open(new URL(ask.replaceAll("&amp;", "&"), page.url).href.replace(/#.*/, ""));
  const body = `Not like this ${evil}\n\n<!-- unseen -->\n\`\`\`suggestion\nthe best line\n\`\`\``;
  expect(lineFields(asked)).toMatchObject({ old_line: "", new_line: "15", new_path: "a.txt" });
  const said = await bob.open(at(`merge_requests/${iid}/notes`), {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", origin: world.forge.url },
    body: new URLSearchParams({ ...lineFields(asked), body }).toString(),
  });
  expect(said.status).toBe(200);
  expect(said.text).toContain("Not like this &lt;script&gt;");
  expect(said.text).not.toContain("unseen");

  const notes = await (
    await fetch(`${world.forge.url}/api/v4/projects/team%2Fone/merge_requests/${iid}/discussions`, {
      headers: { "private-token": "glpat-ada" },
    })
  ).json();
  expect(notes).toMatchObject([
    { notes: [{ type: "DiffNote", body, position: { new_line: 15, old_line: null, new_path: "a.txt" } }] },
  ]);

  const answered = await ada.send(await show(ada, iid), "/notes", { body: "I see" }); // the thread's form comes first
  expect(answered.text).toContain("I see");
  const applied = await ada.send(await show(ada, iid), "/apply");
  expect(applied.text).toContain("This suggestion was applied");
  await world.git(clone, "pull", "--quiet", "origin", "better");
  expect(await world.git(clone, "show", "origin/better:a.txt")).toContain("the best line");

  const approved = await bob.send(await show(bob, iid), "/approve");
  expect(approved.text).toContain("Approved by bob &lt;script&gt;");
  const merged = await bob.send(approved, "/merge");
  expect(merged.text).toMatch(/class="good">Merged/);
  await world.git(clone, "fetch", "--quiet");
  expect(await world.git(clone, "show", "origin/main:a.txt")).toContain("the best line");
});

/** Hidden fields of the form that stands below a line. */
function lineFields(shown: Shown): Record<string, string> {
  const [, inside = ""] = /<form id="ask"[^>]*>(.*?)<\/form>/s.exec(shown.text) ?? [];
  return Object.fromEntries(
    [...inside.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}

test("what came after the page was looked at is not merged, and who may not merge sees no button", async () => {
  await change("moving", "first");
  const iid = iidOf(await opened("moving", "Moving"));
  const seen = await show(bob, iid);
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n + 1}\n`);
  lines[14] = "second\n";
  await world.push(clone, "a.txt", lines.join(""));
  const refused = await bob.send(seen, "/merge");
  expect([refused.status, refused.text]).toEqual([409, expect.stringContaining("SHA does not match")]);
  const reporter = await show(gus, iid);
  for (const action of ["merge", "approve", "close"]) {
    expect(() => reporter.form(`/${action}`)).toThrow();
    const { fields } = seen.form(`/${action}`);
    const tried = await gus.open(at(`merge_requests/${iid}/${action}`), {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: world.forge.url },
      body: new URLSearchParams({ ...fields, ...reporter.form("/notes").fields }).toString(),
    });
    expect([401, 403], action).toContain(tried.status);
  }
  expect((await show(bob, iid)).text).toContain("<strong>opened</strong>");
});

test("threads are started, resolved and reopened; a merge request is closed and opened again", async () => {
  await change("talk", "talk");
  const iid = iidOf(await opened("talk", "Talk"));
  const started = await gus.send(await show(gus, iid), "/notes", { body: "Why?", thread: "true" });
  expect(started.text).toContain("Why?");
  const resolved = await ada.send(await show(ada, iid), "/resolve");
  expect(resolved.text).toContain("<summary>Resolved: gus");
  const reopened = await ada.send(resolved, "/resolve");
  expect(reopened.text).not.toContain("<summary>Resolved");
  const closed = await ada.send(reopened, "/close");
  expect(closed.text).toContain("<strong>closed</strong>");
  expect((await ada.open(at("merge_requests"))).text).not.toContain(">Talk<");
  expect((await ada.open(at("merge_requests?state=closed"))).text).toContain("Talk");
  expect((await ada.send(closed, "/reopen")).text).toContain("<strong>opened</strong>");
});

test("conflicts and drafts say why there is no merge", async () => {
  await change("one-way", "one way");
  await change("other-way", "other way");
  const first = iidOf(await opened("one-way", "One way"));
  const second = iidOf(await opened("other-way", "Draft: Other way"));
  expect((await show(bob, second)).text).toContain("It is a draft");
  await bob.send(await show(bob, first), "/merge");
  await fetch(`${world.forge.url}/api/v4/projects/team%2Fone/merge_requests/${second}`, {
    method: "PUT",
    headers: { "private-token": "glpat-ada", "content-type": "application/json" },
    body: JSON.stringify({ title: "Other way" }),
  });
  const conflicting = await show(bob, second);
  expect(conflicting.text).toContain("Both branches have changed the same lines");
  expect(conflicting.text).toContain("<code>a.txt</code>");
  expect(() => conflicting.form("/merge")).toThrow();
});

test("what is wrong, empty or not there is a page that says so", async () => {
  await change("wrong", "wrong");
  const iid = iidOf(await opened("wrong", "Wrong"));
  const page = await show(ada, iid);
  const { fields } = page.form("/notes");
  const post = (path: string, more: Record<string, string>) =>
    ada.open(at(path), {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: world.forge.url },
      body: new URLSearchParams({ ...fields, ...more }).toString(),
    });
  expect((await post(`merge_requests/${iid}/notes`, { body: " " })).status).toBe(400);
  expect(
    (await post(`merge_requests/${iid}/notes`, { body: "x", discussion_id: "0".repeat(40) })).status,
  ).toBe(404);
  expect((await post(`merge_requests/${iid}/notes`, { body: "x", head_sha: "nothing" })).status).toBe(400);
  expect((await post(`merge_requests/${iid}/resolve`, { discussion_id: "1" })).status).toBe(404);
  expect((await post(`merge_requests/${iid}/apply`, { suggestion: "99" })).status).toBe(404);
  expect((await post(`merge_requests/${iid}/merge`, {})).status).toBe(400);
  expect(
    (await post("merge_requests", { source_branch: "wrong", target_branch: "main", title: "Again" })).status,
  ).toBe(409);
  expect(
    (await post("merge_requests", { source_branch: "none", target_branch: "main", title: "x" })).status,
  ).toBe(400);
  expect((await post("merge_requests/999/notes", { body: "x" })).status).toBe(404);
  expect((await ada.open(at("merge_requests/999"))).status).toBe(404);
  const forged = await ada.open(at(`merge_requests/${iid}/close`), {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "",
  });
  expect(forged.status).toBe(403);
  expect((await show(ada, iid)).text).toContain("<strong>opened</strong>");
});
