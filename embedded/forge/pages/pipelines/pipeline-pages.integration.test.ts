import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Browser, type Shown } from "../../testing/browser.ts";
import { FakeCiRunner, type FakeRun } from "../../testing/fake-ci-runner.ts";
import { type ForgeWorld, forgeWorld } from "../../testing/forge-world.ts";

const evil = `<script>alert("x")</script>`;
const people = ["ada", "gus"].map((username) => ({ username, password: `${username}'s long password` }));
const pipelineFile = `
stages: [make, use]
workflow: { name: 'Twin $DTName' }
make:
  stage: make
  script: [echo "$DTName"]
by-hand:
  stage: use
  when: manual
  script: [echo by hand]
`;

let world: ForgeWorld;
let runner: FakeCiRunner;
let how: (name: string) => FakeRun;
let ada: Browser;
let gus: Browser;

beforeAll(async () => {
  runner = await FakeCiRunner.start(({ name }) => how(name));
  world = await forgeWorld({ exchange: runner.exchange });
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      ...people.map((each) => ({ ...each, name: `${each.username} ${evil}` })),
    ],
    groups: ["team"],
    projects: [{ path: "team/one" }],
    members: [
      { path: "team/one", username: "ada", accessLevel: 30 },
      { path: "team/one", username: "gus", accessLevel: 20 },
    ],
    tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
  });
  const clone = await world.clone("team/one", "ada", "glpat-ada");
  await world.push(clone, ".gitlab-ci.yml", pipelineFile, "-o", "ci.skip");
  [ada, gus] = (await Promise.all(people.map(signIn))) as [Browser, Browser];
}, 60_000);

afterAll(async () => {
  await world.end();
  await runner.close();
});

beforeEach(() => {
  how = () => ({});
});

async function signIn(user: { username: string; password: string }): Promise<Browser> {
  const browser = new Browser();
  await browser.send(await browser.open(`${world.forge.url}/users/sign_in`), "/users/sign_in", user);
  return browser;
}

const at = (path: string) => `${world.forge.url}/team/one/-/${path}`;

/** The page as soon as it shows this. */
async function shows(browser: Browser, url: string, what: RegExp): Promise<Shown> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const shown = await browser.open(url);
    expect(shown.text).not.toContain("<script");
    if (what.test(shown.text)) return shown;
    if (Date.now() > deadline) throw new Error(`${url} does not show ${what}: ${shown.text}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function started(variables = "DTName=tank"): Promise<Shown> {
  const form = await ada.open(at("pipelines/new"));
  const shown = await ada.send(form, "/pipelines", { ref: "main", variables });
  expect(shown.url).toMatch(/\/-\/pipelines\/\d+$/);
  return shown;
}

/** The address of a job that a pipeline's page names. */
function jobUrl(shown: Shown, name: string): string {
  const [, path = ""] = new RegExp(`href="([^"]*/-/jobs/\\d+)"><strong>${name}<`).exec(shown.text) ?? [];
  return new URL(path, shown.url).href;
}

test("somebody starts a pipeline, watches a job while it runs, and plays what waits for a hand", async () => {
  let finish = () => {};
  const finished = new Promise<void>((done) => {
    finish = done;
  });
  how = (name) => (name === "make" ? { trace: `\u001b[32mworking ${evil}\u001b[0m\n`, until: finished } : {});
  const pipeline = await started("DTName=tank\r\n\r\nEXTRA=a=b c\r\n");
  expect(pipeline.text).toContain("Twin tank");
  expect(pipeline.text).toContain("Variables: DTName, EXTRA");
  const running = await shows(ada, jobUrl(pipeline, "make"), /working &lt;script&gt;/);
  expect(running.text).toContain('<meta http-equiv="refresh" content="3">');
  expect(runner.variable("make", "EXTRA")).toBe("a=b c");
  finish();
  const done = await shows(ada, running.url, /class="good">success/);
  expect(done.text).not.toContain('http-equiv="refresh"');
  const raw = await ada.open(`${running.url}/raw`);
  expect(raw.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(raw.headers.get("content-security-policy")).toContain("sandbox");

  const waiting = await shows(ada, pipeline.url, />manual</);
  const played = await ada.send(waiting, "/play", { variables: "BY=hand" });
  expect(played.url).toBe(jobUrl(waiting, "by-hand"));
  await shows(ada, played.url, /class="good">success/);
  expect(runner.variable("by-hand", "BY")).toBe("hand");
  expect((await ada.open(at("pipelines"))).text).toContain("Twin tank");
});

test("what fails says why and is tried again; what runs is ended", async () => {
  how = () => ({ exitCode: 3, trace: "it broke\n" });
  const pipeline = await started();
  const failed = await shows(ada, jobUrl(pipeline, "make"), /class="bad">failed/);
  expect(failed.text).toContain("exit code 3");
  expect(failed.text).toContain("script failure");
  how = () => ({ until: new Promise(() => {}) });
  const again = await ada.send(failed, "/retry");
  await shows(ada, again.url, />running</);
  const canceled = await ada.send(await ada.open(pipeline.url), "/cancel");
  await shows(ada, canceled.url, />canceled</);
  expect((await ada.open(pipeline.url)).text).toContain("attempt 2");
});

test("who may not start and end jobs sees no button for it, and is refused", async () => {
  how = () => ({ until: new Promise(() => {}) });
  const pipeline = await started();
  const seen = await gus.open(pipeline.url);
  expect(seen.status).toBe(200);
  expect(() => seen.form("/cancel")).toThrow();
  expect((await gus.open(at("pipelines/new"))).status).toBe(403);
  const { fields } = seen.form("/users/sign_out");
  const post = (path: string) =>
    gus.open(path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: world.forge.url },
      body: new URLSearchParams({ ...fields, ref: "main" }).toString(),
    });
  const job = jobUrl(seen, "make");
  for (const path of [
    at("pipelines"),
    `${pipeline.url}/cancel`,
    `${pipeline.url}/retry`,
    `${job}/cancel`,
    `${job}/play`,
    `${job}/retry`,
  ]) {
    expect((await post(path)).status, path).toBe(403);
  }
  await ada.send(await ada.open(pipeline.url), "/cancel");
});

test("a merge request shows its pipeline", async () => {
  const { url } = world.forge;
  const post = (path: string, body: object) =>
    fetch(`${url}/api/v4/projects/team%2Fone/${path}`, {
      method: "POST",
      headers: { "private-token": "glpat-ada", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const actions = [{ action: "create", file_path: "a.txt", content: "a\n" }];
  await post("repository/commits", {
    branch: "other",
    start_branch: "main",
    commit_message: "a [skip ci]",
    actions,
  });
  await post("pipeline", { ref: "other" });
  const made = await post("merge_requests", {
    source_branch: "other",
    target_branch: "main",
    title: "Other",
  });
  const { iid } = (await made.json()) as { iid: number };
  const shown = await ada.open(at(`merge_requests/${iid}`));
  expect(shown.text).toMatch(/href="\/team\/one\/-\/pipelines\/\d+">pipeline #/);
});

test("what is wrong is a page that says so", async () => {
  const form = await ada.open(at("pipelines/new"));
  expect((await ada.send(form, "/pipelines", { ref: "main", variables: "no variable" })).status).toBe(400);
  expect((await ada.send(form, "/pipelines", { ref: "none", variables: "" })).status).toBe(400);
  for (const path of ["pipelines/999999", "jobs/999999", "jobs/999999/raw"]) {
    expect((await ada.open(at(path))).status, path).toBe(404);
  }
});
