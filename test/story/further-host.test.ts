import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ForgeAdmin } from "#cli/up/forge-admin";
import type { SharedAssets } from "#schemas/api";
import { GitHubStandIn } from "#test/fixtures/github/github-stand-in";
import { commitOf } from "#test/fixtures/github/github-state";
import { openPull } from "#test/fixtures/github/pull-routes";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { runningSpec } from "./twin-files.ts";

const run = promisify(execFile);
const name = "127.0.0.1"; // of the further host, as its address says
const shared = `${name}/acme/models`;

const platformFile = (groups: string) => `apiVersion: dtaas/v1
kind: Platform
spec:
  group: dtaas
  shared:
    - project: dtaas/common
    - { project: ${shared}, groups: [${groups}] }
  defaults:
    workspace: { template: base }
`;
const script = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.2; done\n";

describe("users on the embedded Git host, and assets that are shared on GitHub", () => {
  let platform: Platform;
  let github: GitHubStandIn;
  let folder: string;
  let user1: Clone;
  let settings: Clone;
  const clones: Clone[] = [];

  const assets = async (user: string) => (await platform.api(`/users/${user}/assets`)).body as SharedAssets;
  const commitSeen = async (user: string) =>
    (await assets(user)).repositories?.find(({ project }) => project === shared)?.commit;
  const sees = async (command: string) => {
    const container = (await platform.twin("user1", "pump"))?.containerId ?? "";
    const { stdout } = await run("docker", ["exec", container, "sh", "-c", command]).catch(() => ({
      stdout: "",
    }));
    return stdout.trim();
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "further-host-"));
    github = await GitHubStandIn.start(folder);
    const { state } = github;
    state.addOrg("acme", "read").members.set("dtaas-bot", "admin");
    const token = state.addToken("dtaas-bot");
    state.addRepo("acme/models");
    // Somebody on GitHub who is called like a user, and is somebody else.
    state.repo("acme/models").collaborators.set("user2", "admin");
    state.addUser("user2");
    github.push("acme/models", { "models/pump/pump.py": "pump = 1\n" });
    platform = await Platform.start({ users: ["user1", "user2"] });
    await platform.controller?.stop();
    await platform.startController({
      DTAAS_FURTHER_FORGE_URL: github.url,
      DTAAS_FURTHER_FORGE_TOKEN: token,
      DTAAS_RESYNC_SECONDS: "3",
    });
    const admin = new ForgeAdmin(platform.forgeUrl, platform.token("root"));
    const group = await admin.ensureGroup("readers");
    const botToken = platform.settings.secrets.accounts["dtaas-bot"]?.token ?? "";
    for (const reader of [platform.token("user1"), botToken]) {
      await admin.ensureMember(`groups/${group}`, (await admin.whoIs(reader)) ?? 0, 20);
    }
    settings = await platform.cloneAsRoot("platform");
    user1 = await platform.clone("user1");
    clones.push(settings, user1);
    await settings.write("platform.yaml", platformFile(""));
    await settings.push("feat: share models of GitHub");
    await user1.write("digital_twins/pump/dt.yaml", runningSpec("pump"));
    await user1.write("digital_twins/pump/lifecycle/execute", script, 0o755);
    await user1.push("feat: add a twin");
  });
  afterAll(async () => {
    await platform?.close();
    await github?.close();
    for (const { folder: clone } of clones) await rm(clone, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });

  test("nobody reads it until a group of the users' host may, not even who is called like a collaborator there", async () => {
    await until("the twin is live", async () => (await platform.twin("user1", "pump"))?.phase === "live");
    expect([await commitSeen("user1"), await commitSeen("user2")]).toEqual([undefined, undefined]);
    expect(await sees("ls /workspace/common/models/pump")).toBe("");
  });

  test("who is in the group sees it in their twins, others do not, and each push is told by GitHub's webhook", async () => {
    await settings.write("platform.yaml", platformFile("readers"));
    await settings.push("feat: for readers");
    const other = await platform.clone("user2");
    clones.push(other);
    await other.write("README.md", "# mine\n");
    await other.push("docs: begin");
    await until("the assets are seen", async () => (await commitSeen("user1")) !== undefined);
    expect(await commitSeen("user2")).toBeUndefined();
    await user1.write("digital_twins/pump/lifecycle/execute", `${script}# again\n`, 0o755);
    await user1.push("feat: begin again");
    await until(
      "the twin sees the model",
      async () => (await sees("cat /workspace/common/models/pump/pump.py")) === "pump = 1",
    );

    const { hooks } = github.state.repo("acme/models");
    await until("GitHub has the platform's webhook", async () => hooks.length === 1);
    expect(hooks[0]?.config.url).toMatch(/\/webhooks\/github\?project=1\d{12}&key=[0-9a-f]{16}$/);
    const head = github.push("acme/models", { "models/pump/pump.py": "pump = 2\n" });
    await until(
      "the push is seen",
      async () => (await commitSeen("user1")) === head || (await commitSeen("user1")),
    );
    const delivered = (await platform.api("/deliveries")).body as { items: { project: string }[] };
    expect(delivered.items.map(({ project }) => project)).toContain(shared);
  });

  test("nothing of a user goes to GitHub: what would need their token there is refused", async () => {
    const path = `/library/${encodeURIComponent(shared)}/changes`;
    const body = { message: "x", changes: [{ action: "delete", path: "models/pump/pump.py" }] };
    const { status } = await platform.api(path, { method: "POST", body, as: "user1" });
    expect([403, 404]).toContain(status);
    const asked = github.asked.filter(({ method }) => method !== "GET");
    const writes = asked.filter(({ path: to }) => !/\/(graphql|hooks(\/\d+)?|statuses\/\w+)$/.test(to));
    expect(writes).toEqual([]);
  });

  test("a pull request there is reviewed in one comment, edited in place", async () => {
    const repo = github.state.repo("acme/models");
    github.push("acme/models", { "models/pump/pump.py": "pump = 3\n" }, "faster");
    const author = github.state.addUser("user2");
    const pull = openPull(repo, { author, head: "faster", base: "main", title: "Faster" });
    await github.tellPull("acme/models", pull);
    await until("there is a comment", async () => pull.comments.length === 1 || String(pull.comments.length));
    expect(pull.comments[0]?.author.login).toBe("dtaas-bot");
    await github.tellPull("acme/models", pull);
    github.push("acme/models", { "models/pump/pump.py": "pump = 4\n" }, "faster");
    await github.tellPull("acme/models", pull);
    await until("the status stands at the newest commit", async () => {
      const head = github.state.repo("acme/models").statuses[0]?.sha;
      return head === commitOfBranch(github, "faster") || String(head);
    });
    expect(pull.comments).toHaveLength(1);
  });
});

function commitOfBranch(github: GitHubStandIn, branch: string): string | undefined {
  return commitOf(github.state.repo("acme/models"), `refs/heads/${branch}`);
}
