import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;
let hasClient = false;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      { username: "ada", name: "Ada", password: "ada-password" },
      { username: "bob", name: "Bob", password: "bob-password" },
      { username: "eve", name: "Eve", password: "eve-password" },
    ],
    projects: [{ path: "dtaas/ada" }, { path: "dtaas/eve" }],
    members: [
      { path: "dtaas/ada", username: "ada", accessLevel: 40 },
      { path: "dtaas/ada", username: "bob", accessLevel: 20 },
      { path: "dtaas/eve", username: "eve", accessLevel: 40 },
    ],
    tokens: [{ username: "ada", name: "reader", scopes: ["read_repository"], value: "glpat-ada-reader" }],
  });
  hasClient = await world.git(world.folder, "lfs", "version").then(
    () => true,
    () => false,
  );
  if (!hasClient && process.env["CI"] === "true") throw new Error("git-lfs is missing: apt install git-lfs");
  if (!hasClient) console.log("not run: the real client; git-lfs is missing (apt install git-lfs)");
});

afterAll(() => world.end());

const content = randomBytes(300_000);
const oid = createHash("sha256").update(content).digest("hex");
const address = (project: string, rest: string) => `${world.forge.url}/${project}.git/info/lfs/${rest}`;
const basic = (user: string, password = `${user}-password`) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

interface BatchAnswer {
  objects: {
    oid: string;
    error?: { code: number };
    actions?: Record<string, { href: string; header?: Record<string, string> }>;
  }[];
}

async function batch(
  project: string,
  operation: string,
  headers: Record<string, string>,
  objects: unknown = [{ oid, size: content.length }],
): Promise<{ status: number; body: BatchAnswer }> {
  const answer = await fetch(address(project, "objects/batch"), {
    method: "POST",
    headers: { ...headers, "content-type": "application/vnd.git-lfs+json" },
    body: JSON.stringify({ operation, transfers: ["basic"], objects }),
  });
  return { status: answer.status, body: (await answer.json()) as BatchAnswer };
}

const put = async (project: string, id: string, body: Uint8Array, headers: Record<string, string>) =>
  (await fetch(address(project, `objects/${id}`), { method: "PUT", headers, body })).status;

describe("large files, as any client speaks", () => {
  test("an object is offered for upload once, taken, verified and given back byte for byte", async () => {
    const asked = await batch("dtaas/ada", "upload", basic("ada"));
    const [object] = asked.body.objects;
    const { upload, verify } = object?.actions ?? {};
    const sent = await fetch(upload?.href ?? "", {
      method: "PUT",
      headers: upload?.header ?? {},
      body: content,
    });
    expect(sent.status).toBe(200);
    const verified = await fetch(verify?.href ?? "", {
      method: "POST",
      headers: verify?.header ?? {},
      body: JSON.stringify({ oid, size: content.length }),
    });
    expect(verified.status).toBe(200);
    expect((await batch("dtaas/ada", "upload", basic("ada"))).body.objects[0]?.actions).toBeUndefined();

    const given = (await batch("dtaas/ada", "download", basic("bob"))).body.objects[0]?.actions?.["download"];
    const got = await fetch(given?.href ?? "", { headers: given?.header ?? {} });
    expect(Buffer.from(await got.arrayBuffer()).equals(content)).toBe(true);
  });

  test("what is not what its id says is not kept", async () => {
    const id = "a".repeat(64);
    expect(await put("dtaas/ada", id, content, basic("ada"))).toBe(422);
    const objects = [{ oid: id, size: 1 }];
    const [object] = (await batch("dtaas/ada", "download", basic("ada"), objects)).body.objects;
    expect(object?.error?.code).toBe(404);
  });

  test("who may not push does not upload, who may not see finds nothing, a stranger is asked who they are", async () => {
    expect((await batch("dtaas/ada", "upload", basic("bob"))).status).toBe(403);
    expect((await batch("dtaas/ada", "upload", basic("ada", "glpat-ada-reader"))).status).toBe(403);
    expect((await batch("dtaas/ada", "download", basic("eve"))).status).toBe(404);
    expect((await batch("dtaas/none", "download", basic("eve"))).status).toBe(404);
    expect((await batch("dtaas/ada", "download", {})).status).toBe(401);
    expect(await put("dtaas/ada", oid, content, basic("bob"))).toBe(403);
    expect((await fetch(address("dtaas/ada", `objects/${oid}`), { headers: basic("eve") })).status).toBe(404);
  });

  test("knowing the id of another project's object is not enough to get it", async () => {
    const [object] = (await batch("dtaas/eve", "download", basic("eve"))).body.objects;
    expect(object?.error?.code).toBe(404);
    expect((await fetch(address("dtaas/eve", `objects/${oid}`), { headers: basic("eve") })).status).toBe(404);
  });

  test.each([
    ["no object id", [{ oid: "../../x", size: 1 }]],
    ["a size below zero", [{ oid, size: -1 }]],
    ["no list", "x"],
    ["too many", Array.from({ length: 1_001 }, () => ({ oid, size: 1 }))],
  ])("a batch with %s is refused", async (_what, objects) => {
    expect((await batch("dtaas/ada", "download", basic("ada"), objects)).status).toBe(422);
  });
});

test("the real client pushes a large file and gets it back in another clone, after a restart too", async (story) => {
  if (!hasClient) return story.skip();
  const clone = await world.clone("dtaas/ada", "ada", "ada-password");
  await world.git(clone, "lfs", "install", "--local");
  await world.git(clone, "lfs", "track", "*.bin");
  const large = randomBytes(2_000_000);
  await writeFile(join(clone, "model.bin"), large);
  await world.push(clone, "about.txt", "a large model");
  expect(await world.git(clone, "show", "HEAD:model.bin")).toMatch(
    /^version .*\noid sha256:[0-9a-f]{64}\nsize 2000000$/,
  );
  await world.restart();
  const again = await world.clone("dtaas/ada", "bob", "bob-password");
  await world.git(again, "lfs", "install", "--local");
  await world.git(again, "lfs", "pull");
  expect((await readFile(join(again, "model.bin"))).equals(large)).toBe(true);
});
