import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [{ username: "ada", name: "Ada" }],
    projects: [{ path: "ada/tank" }],
    tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
  });
});

afterAll(() => world.end());

function post(path: string, body: FormData | Blob, token = "glpat-ada"): Promise<Response> {
  return fetch(`${world.forge.url}/api/v4/projects/ada%2Ftank/${path}`, {
    method: "POST",
    headers: { "private-token": token },
    body,
  });
}

test("a form with nested fields makes a commit as the same in JSON does", async () => {
  const form = new FormData();
  form.set("branch", "main");
  form.set("commit_message", "from a form");
  for (const [index, name] of ["a.txt", "b.txt"].entries()) {
    form.set(`actions[${index}][action]`, "create");
    form.set(`actions[${index}][file_path]`, name);
    form.set(`actions[${index}][content]`, `ümlaut ${name}`);
  }
  const made = await post("repository/commits", form);
  expect([made.status, (await made.json()) as unknown]).toMatchObject([201, { title: "from a form" }]);
  const raw = await fetch(
    `${world.forge.url}/api/v4/projects/ada%2Ftank/repository/files/b.txt/raw?ref=main`,
    {
      headers: { "private-token": "glpat-ada" },
    },
  );
  expect(await raw.text()).toBe("ümlaut b.txt");
});

test("lists in a form arrive as lists", async () => {
  const form = new FormData();
  form.set("name", "bot");
  for (const scope of ["read_api", "read_repository"]) form.append("scopes[]", scope);
  const made = await post("access_tokens", form);
  expect([made.status, (await made.json()) as unknown]).toMatchObject([
    201,
    { scopes: ["read_api", "read_repository"] },
  ]);
});

test("a stranger's form, one with a file, a broken one and one that is too large are refused", async () => {
  const form = new FormData();
  form.set("name", "x");
  expect((await post("access_tokens", form, "glpat-nobody")).status).toBe(401);
  const file = new FormData();
  file.set("name", new Blob(["x"]), "x.txt");
  expect((await post("access_tokens", file)).status).toBe(400);
  const broken = new Blob(["--no end"], { type: "multipart/form-data; boundary=other" });
  expect((await post("access_tokens", broken)).status).toBe(400);
  const large = new FormData();
  for (const name of ["a", "b"]) large.set(name, "x".repeat(40 * 1024 * 1024));
  expect((await post("access_tokens", large)).status).toBe(413);
});
