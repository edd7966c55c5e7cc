import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commitFiles, GitHttpServer } from "../fixtures/git-http-server.ts";
import { Platform, until } from "./platform.ts";
import { runningSpec } from "./twin-files.ts";

const script = "#!/bin/sh\necho up\nexec sleep 1000000\n";
let platform: Platform;
let other: GitHttpServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dtaas-library-story-"));
  other = await GitHttpServer.start(join(folder, "other-host"));
  other.isOpen = true;
  platform = await Platform.start({ users: ["user1"] });
});
afterAll(async () => {
  await platform?.close();
  await other?.close();
  await rm(folder, { recursive: true, force: true });
});

const isLive = (name: string) =>
  until(`${name} is live`, async () => {
    const twin = await platform.twin("user1", name);
    return twin?.phase === "live" || JSON.stringify(twin);
  });

test("somebody without git uploads a folder, and the twin in it goes live", async () => {
  const local = join(folder, "pump");
  await mkdir(join(local, "lifecycle"), { recursive: true });
  await writeFile(join(local, "dt.yaml"), runningSpec("pump"));
  await writeFile(join(local, "lifecycle/execute"), script, { mode: 0o755 });
  const made = await platform.cli("library", "upload", local, "user1/digital_twins/pump");
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/dtaas\/user1: 2 files/) });
  await isLive("pump");
  const found = await platform.cli("library", "search", "pump");
  expect(found.stdout).toContain("dtaas/user1/digital_twins/pump");
  const gone = await platform.cli("library", "delete", "user1/digital_twins/pump");
  expect(gone.code).toBe(0);
  await until("the twin is gone", async () => (await platform.twin("user1", "pump")) === undefined);
});

test("a twin that lies on another Git host is pulled and goes live", async () => {
  const { url, gitDir } = other.create("lab/assets");
  commitFiles(gitDir, {
    "digital_twins/tank/dt.yaml": runningSpec("tank"),
    "digital_twins/tank/lifecycle/execute": { content: script, mode: "100755" },
  });
  await writePlatform(`  policies: { remotes: { private: ["${new URL(url).host}"] } }\n`);
  const clone = await platform.clone("user1");
  const remote = `{ name: lab, url: "${url}", direction: pull }`;
  const spec = `apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  remotes: [${remote}]\n`;
  await clone.git("pull", "-q", "origin", "main");
  await clone.write("workspace.yaml", spec);
  await clone.push("feat: name the lab's repository");
  await until("the platform knows the remote", async () =>
    (await platform.cli("remote", "list", "--user", "user1")).stdout.includes("lab"),
  );
  await until("the platform may pull", async () => {
    const pulled = await platform.cli("remote", "pull", "lab", "--user", "user1");
    return pulled.code === 0 || pulled.stdout;
  });
  await isLive("tank");
});

/** Adds lines to the spec of platform.yaml, as an administrator would on the Git host. */
async function writePlatform(lines: string): Promise<void> {
  const file = `${platform.forgeUrl}/api/v4/projects/dtaas%2Fplatform/repository/files/platform.yaml`;
  const headers = { "private-token": platform.token("root"), "content-type": "application/json" };
  const now = await (await fetch(`${file}/raw?ref=main`, { headers })).text();
  const body = {
    branch: "main",
    commit_message: "feat: allow the lab",
    content: `${now.trimEnd()}\n${lines}`,
  };
  const answer = await fetch(file, { method: "PUT", headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
}
