import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ForgeProject } from "../forge/forge.ts";
import { LibraryWorld } from "../library/testing/library-world.ts";
import { rollbackTwin } from "./rollback-twin.ts";

const folder = "digital_twins/tank";
let world: LibraryWorld;
let project: ForgeProject;
let clone: string;
const nudged: string[] = [];

beforeAll(async () => {
  world = await LibraryWorld.start();
});
afterAll(async () => await world.end());
beforeEach(async () => {
  clone = await world.clone("dtaas/ada", "ada");
  await mkdir(join(clone, folder, "lifecycle"), { recursive: true });
});

/** Writes files below the twin's folder, `undefined` removes one, and pushes. */
async function push(files: Record<string, string | undefined>, executables: string[] = []): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    if (text === undefined) await rm(join(clone, folder, path));
    else await writeFile(join(clone, folder, path), text);
  }
  for (const path of executables) await chmod(join(clone, folder, path), 0o755);
  await world.git(clone, "add", "-A");
  await world.git(clone, "commit", "-q", "--allow-empty", "-m", "change");
  await world.git(clone, "push", "-q", "origin", "HEAD:main");
  project = (await world.port.project("dtaas/ada")) as ForgeProject;
  return await world.git(clone, "rev-parse", "HEAD");
}

const status = (commit: string, state: "success" | "failed") =>
  world.port.setStatus(project, { commit, ref: "main", name: "dtaas/tank", state, description: state });

function rollback(revision?: string, who = "ada") {
  const deps = {
    ...{ forge: world.port, mirrors: world.mirrors },
    nudgeProject: (path: string, head: string) => void nudged.push(`${path} ${head}`),
  };
  const wish = {
    user: "ada",
    twin: "tank",
    asMergeRequest: false,
    ...(revision === undefined ? {} : { revision }),
  };
  return rollbackTwin(deps, wish, { token: `glpat-${who}`, project });
}

test("a twin becomes again what it was when it was live last, in one commit of the caller; nothing else changes", async () => {
  const first = await push({ "dt.yaml": "one\n", "lifecycle/execute": "#!/bin/sh\n", old: "old\n" }, [
    "lifecycle/execute",
  ]);
  await status(first, "success");
  await writeFile(join(clone, "README.md"), "kept\n");
  await chmod(join(clone, folder, "lifecycle/execute"), 0o644);
  const second = await push({ "dt.yaml": "two\n", old: undefined, "new.txt": "new\n" });
  await status(second, "failed");
  const done = await rollback();
  expect(done).toMatchObject({ from: second, to: first, branch: "main", mergeRequest: null, files: 4 });
  expect(nudged).toContain(`dtaas/ada ${done.commit}`);
  const { files, log } = await world.inGit("dtaas/ada", "ada");
  expect([...files.keys()].sort()).toEqual([
    "README.md",
    `${folder}/dt.yaml`,
    `${folder}/lifecycle/execute`,
    `${folder}/old`,
  ]);
  expect(files.get(`${folder}/dt.yaml`)?.content.toString()).toBe("one\n");
  expect(files.get(`${folder}/lifecycle/execute`)?.mode).toBe("100755");
  expect(log[0]).toBe(`Ada <ada@example.org>: Roll back digital twin tank to ${first.slice(0, 8)}`);
});

test("a revision that is named counts, whether it was live or not, and asking twice finds nothing to do", async () => {
  const first = await push({ "dt.yaml": "named\n" });
  await push({ "dt.yaml": "other\n" });
  expect(await rollback(first.slice(0, 10))).toMatchObject({ to: first });
  await expect(rollback(first)).rejects.toMatchObject({ code: "ROLLBACK_NOTHING" });
});

test("what cannot be gone back to is said: no such commit, another branch's, one without the twin, one never live", async () => {
  const empty = await world.git(clone, "commit-tree", "-m", "x", await world.git(clone, "write-tree"));
  await push({ "dt.yaml": `${Date.now()}\n` });
  for (const revision of ["0".repeat(40), "zzz", "--all", empty]) {
    await expect(rollback(revision)).rejects.toMatchObject({ code: "REVISION_NOT_FOUND" });
  }
  const before = await world.git(clone, "rev-list", "--max-parents=0", "HEAD");
  await rm(join(clone, folder), { recursive: true });
  await push({});
  expect(before).not.toBe("");
  await world.git(clone, "revert", "--no-edit", "HEAD");
  const removed = await world.git(clone, "rev-parse", "HEAD~1");
  await world.git(clone, "push", "-q", "origin", "HEAD:main");
  await expect(rollback(removed)).rejects.toMatchObject({ code: "TWIN_NOT_IN_REVISION" });
});

test("without a revision that was live before, the caller is asked for one", async () => {
  const pump = join(clone, "digital_twins/pump");
  await mkdir(pump, { recursive: true });
  await writeFile(join(pump, "dt.yaml"), "one\n");
  await push({});
  const deps = { forge: world.port, mirrors: world.mirrors, nudgeProject: () => undefined };
  const wish = { user: "ada", twin: "pump", asMergeRequest: false };
  await expect(rollbackTwin(deps, wish, { token: "glpat-ada", project })).rejects.toMatchObject({
    code: "ROLLBACK_NOTHING",
  });
  await writeFile(join(pump, "dt.yaml"), "two\n");
  await push({});
  await expect(rollbackTwin(deps, wish, { token: "glpat-ada", project })).rejects.toMatchObject({
    code: "ROLLBACK_UNKNOWN",
  });
});

test("a link in the twin's folder is left to git", async () => {
  await symlink("dt.yaml", join(clone, folder, "link"));
  const linked = await push({ "dt.yaml": "linked\n" });
  await rm(join(clone, folder, "link"));
  await push({ "dt.yaml": "plain\n" });
  await expect(rollback(linked)).rejects.toMatchObject({ code: "FILE_NOT_REGULAR" });
});

test("who may not push to the default branch proposes, once however often it is asked; so does whoever wants to", async () => {
  const first = await push({ "dt.yaml": "before\n" });
  await push({ "dt.yaml": "after\n" });
  const api = async (method: string, path: string, body: object) => {
    const response = await fetch(`${world.forge.url}/api/v4/projects/${project.id}/${path}`, {
      ...{ method, body: JSON.stringify(body) },
      headers: { "private-token": "glpat-root", "content-type": "application/json" },
    });
    expect(response.ok).toBe(true);
  };
  await api("DELETE", "protected_branches/main", {});
  await api("POST", "protected_branches", { name: "main", push_access_level: 40 });
  await api("POST", "members", { username: "bob", access_level: 30 });
  const { head } = { head: await world.head("dtaas/ada") };
  const proposed = await rollback(first, "bob");
  expect(proposed).toMatchObject({ to: first, branch: `dtaas/rollback-tank-${first.slice(0, 8)}` });
  expect(proposed.mergeRequest?.url).toContain("/merge_requests/");
  expect(await world.head("dtaas/ada")).toBe(head);
  expect((await rollback(first, "bob")).mergeRequest).toEqual(proposed.mergeRequest);
  const wish = { user: "ada", twin: "tank", revision: first, asMergeRequest: true };
  const deps = { forge: world.port, mirrors: world.mirrors, nudgeProject: () => undefined };
  const wished = await rollbackTwin(deps, wish, { token: "glpat-ada", project });
  expect(wished.mergeRequest).toEqual(proposed.mergeRequest);
  expect(await world.head("dtaas/ada")).toBe(head);
  await expect(rollback(first, "eve")).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
});
