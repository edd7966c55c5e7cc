import { cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "#core/logger";
import { startForge } from "./start-forge.ts";
import { type ForgeWorld, forgeWorld } from "./testing/forge-world.ts";

let world: ForgeWorld;

beforeAll(async () => {
  world = await forgeWorld();
  await world.forge.admin.seed({
    users: [{ username: "root", name: "Administrator", admin: true }],
    groups: ["dtaas"],
    tokens: [{ username: "root", name: "t", scopes: ["api"], value: "root-token-root-token" }],
  });
});

afterAll(() => world.end());

test("what was answered before a crash is there after it, and half-made things are finished or gone", async () => {
  const { folder } = world;
  const gitlab = new Gitlab({ host: world.forge.url, token: "root-token-root-token" });
  const { id: groupId } = await gitlab.Groups.show("dtaas");
  await gitlab.Projects.create({ name: "pushed", namespaceId: groupId });
  const clone = await world.clone("dtaas/pushed", "root", "root-token-root-token");
  const commit = await world.push(clone, "a.txt", "a");
  await gitlab.Commits.editStatus("dtaas/pushed", commit, "running", { name: "kept" });
  const half = await gitlab.Projects.create({ name: "half", namespaceId: groupId });

  // The files as a killed process leaves them: nothing was flushed or closed for this copy.
  const left = await mkdtemp(join(tmpdir(), "forge-crash-"));
  await cp(join(folder, "data"), left, { recursive: true });
  const repositories = join(left, "repositories");
  await rm(join(repositories, `${half.id}.git`), { recursive: true }); // killed before the repository was made
  await cp(join(repositories, "1.git"), join(repositories, "99.git"), { recursive: true }); // after its record went
  await cp(join(repositories, "1.git"), join(repositories, "77.new"), { recursive: true });
  const lock = join(repositories, "1.git/refs/heads/main.lock"); // git was killed with it
  await writeFile(lock, "");
  await utimes(lock, 0, 0);

  const forge = await startForge({ dataFolder: left, logger: createLogger("forge", "silent") });
  const after = new Gitlab({ host: forge.url, token: "root-token-root-token" });
  expect((await after.Branches.show("dtaas/pushed", "main")).commit.id).toBe(commit);
  expect(await after.Commits.allStatuses("dtaas/pushed", commit)).toMatchObject([{ name: "kept" }]);
  expect((await after.Projects.show("dtaas/half")).empty_repo).toBe(true);
  expect((await readdir(repositories)).sort()).toEqual(["1.git", `${half.id}.git`].sort());
  const action = { action: "create" as const, filePath: "b.txt", content: "b" };
  expect((await after.Commits.create("dtaas/pushed", "main", "on", [action])).parent_ids).toEqual([commit]);
  await forge.close();
  await rm(left, { recursive: true });
});

test("a first push that was not noted before a crash is noted at the next start", async () => {
  const project = await world.forge.admin.ensureProject("dtaas/unnoted");
  const source = await world.clone("dtaas/pushed", "root", "root-token-root-token");
  await world.git(
    source,
    "push",
    "--quiet",
    join(world.folder, "data/repositories", `${project.id}.git`),
    "HEAD:trunk",
  );
  await world.restart();
  const gitlab = new Gitlab({ host: world.forge.url, token: "root-token-root-token" });
  expect(await gitlab.Projects.show(project.id)).toMatchObject({
    empty_repo: false,
    default_branch: "trunk",
  });
});

test("a group or user whose renaming a crash cut off has one name everywhere after the next start", async () => {
  const { admin } = world.forge;
  await admin.ensureUser({ username: "max", name: "Max" });
  const own = await admin.ensureProject("max/own");
  const inGroup = await admin.ensureProject("works/hall/tank");
  const { id } = await admin.ensureGroup("works");
  const user = await admin.ensureUser({ username: "max", name: "Max" });
  await world.forge.close();
  // As a kill after the first of the writes leaves it.
  const state = join(world.folder, "data/state");
  await change(join(state, "namespaces", `${id}.json`), { path: "plant", fullPath: "plant" });
  await change(join(state, "users", `${user.id}.json`), { username: "moritz" });
  await world.restart();
  const gitlab = new Gitlab({ host: world.forge.url, token: "root-token-root-token" });
  expect(await gitlab.Projects.show("plant/hall/tank")).toMatchObject({ id: inGroup.id });
  expect(await gitlab.Groups.show("plant/hall")).toMatchObject({ full_name: "works / hall" });
  expect(await gitlab.Projects.show("moritz/own")).toMatchObject({ id: own.id });
});

async function change(path: string, fields: Record<string, string>): Promise<void> {
  const record = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(path, JSON.stringify({ ...record, ...fields }));
}
