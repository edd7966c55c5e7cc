import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { access, ForgeAdmin } from "#cli/up/forge-admin";
import type { WorkspaceView } from "#schemas/workspace-view";
import { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const buildMs = 170_000; // the first one installs packages

const workspaceYaml = (more = "") => `apiVersion: dtaas/v1
kind: Workspace
spec:
  template: base
  resources: { cpus: 1, memory: 512Mi, shm: 64Mi, pids: 256 }
${more}`;

const twinYaml = `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: pump, title: Story twin }
spec:
  state: running
  workspace: { template: base }
  lifecycle: { execute: { run: lifecycle/execute } }
`;

describe("a user with a workspace", () => {
  let platform: Platform;
  let clone: Clone;

  const view = async (user = "user1") =>
    (await platform.api(`/workspaces/${user}`, { as: user })).body as WorkspaceView;
  const isIn = (state: string, timeoutMs = 60_000) =>
    until(
      `the workspace is ${state}`,
      async () => {
        const now = await view();
        return (now.state === state && now.applied) || `${now.state}: ${now.reason ?? ""}`;
      },
      timeoutMs,
    );
  const ask = (verb: string, as = "user1") =>
    platform.api(`/workspaces/user1/${verb}`, { method: "POST", as });
  const setState = (state: string, as = "user1") =>
    platform.api("/workspaces/user1/state", { method: "PUT", as, body: { state } });
  const container = async (user = "user1") => {
    const labels = [
      `dtaas.installation=${platform.settings.secrets.installation}`,
      `dtaas.workspace=${user}`,
    ];
    const filters = labels.flatMap((label) => ["--filter", `label=${label}`]);
    return (await run("docker", ["ps", "-q", "--no-trunc", ...filters])).stdout.trim();
  };
  const inside = async (script: string) => {
    const { stdout } = await run("docker", ["exec", await container(), "bash", "-c", script]);
    return stdout.trim();
  };
  /** Makes user1 a member of the shared repository, or none. */
  const members = async (method: "PUT" | "DELETE") => {
    const admin = new ForgeAdmin(platform.forgeUrl, platform.token("root"));
    const userId = await admin.ensureUser("user1", "user1", "");
    const common = await admin.ensureProject(await admin.ensureGroup("dtaas"), "dtaas/common", "common");
    const path = `projects/${common.id}`;
    if (method === "PUT") return await admin.ensureMember(path, userId, access.reporter);
    const headers = { "private-token": platform.token("root") };
    await fetch(`${platform.forgeUrl}/api/v4/${path}/members/${userId}`, { method, headers });
  };
  const opened = async () => ((await ask("open")).body as { url: string }).url;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    await members("PUT");
    clone = await platform.clone("user1");
    await clone.write("workspace.yaml", workspaceYaml());
    await clone.write("digital_twins/pump/dt.yaml", twinYaml);
    await clone.write(
      "digital_twins/pump/lifecycle/execute",
      "#!/bin/sh\nwhile true; do sleep 1; done\n",
      0o755,
    );
    await clone.write("common/models/own.txt", "of my own\n");
    await clone.push("feat: begin");
    await until("the pump is live", async () => (await platform.twin("user1", "pump"))?.phase === "live");
    await until("the shared assets are there", async () => {
      const { stdout } = await platform.cli("assets", "user1");
      return stdout.includes("models/water-tank") || stdout;
    });
  });
  afterAll(async () => {
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  test("starts it with one command, sees each stage, and finds the repository in it", async () => {
    const start = await platform.cli("workspace", "start", "user1", "--timeout", String(buildMs / 1000));
    expect(start.stdout).toMatch(/^user1: ready \(.*building .*creating .*starting /);
    expect(start.stderr).toContain("user1: building");
    const { stages, workTree, services, resources } = await view();
    expect(stages.map(({ name }) => name)).toEqual(["queued", "building", "creating", "starting", "ready"]);
    expect(stages.slice(0, -1).every(({ tookMs }) => tookMs !== null && tookMs >= 0)).toBe(true);
    expect(services).toEqual([{ name: "terminal", title: "Terminal", path: "/terminal/" }]);
    expect(resources).toMatchObject({ cpus: 1, memoryBytes: 512 * 1024 ** 2, pids: 256 });
    expect(workTree).toMatchObject({ branch: "main", ahead: 0, behind: 0, changed: [] });
    expect(await inside("id -u; ls; cat digital_twins/pump/dt.yaml")).toContain("name: pump");
    expect((await platform.cli("workspace", "list")).stdout).toMatch(/user1 +ready .*base +clean/);
    expect((await platform.cli("workspace", "logs", "--build", "user1")).stdout).toContain(
      "python3-terminado",
    );
  });

  test("sees its own and the shared assets side by side, read-only, and Git sees nothing of it", async () => {
    expect(await inside("cat common/models/own.txt; wc -c < common/models/water-tank/tank.py")).toMatch(
      /^of my own\n[1-9]/,
    );
    expect(await inside("touch common/x common/models/own.txt 2>&1 || echo refused")).toMatch(/refused$/);
    expect(await inside("git status --porcelain")).toBe("");
  });

  test("edits, commits and pushes from inside: the Git host has it under the user's name, and the twin follows", async () => {
    await inside(
      "sed -i 's/sleep 1/sleep 2/' digital_twins/pump/lifecycle/execute && git commit -qam 'feat: slower'",
    );
    await inside("git push -q 2>&1");
    const commit = await inside("git rev-parse HEAD");
    await until("the new pump is live", async () => {
      const twin = await platform.twin("user1", "pump");
      return (twin?.revision === commit && twin.phase === "live") || twin;
    });
    await clone.git("pull", "-q", "origin", "main");
    expect(await clone.git("log", "-1", "--format=%an %ae")).toMatch(/^user1 \d+-user1@users\.noreply\./);
  });

  test("has no token of the Git host in it, and its own opens nothing else", async () => {
    const { forgeRootToken, accounts } = platform.settings.secrets;
    const secrets = [forgeRootToken, ...Object.values(accounts).flatMap(({ token }) => token ?? [])];
    const all = await inside(
      "env; cat /run/dtaas/*; cat .git/config; git remote -v; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'",
    );
    for (const secret of secrets) expect(all.includes(secret)).toBe(false);
    const other = "http://git.dtaas.internal:9419/git/dtaas/user2.git";
    expect(
      await inside(
        `git -c credential.helper='!cat /run/dtaas/git-credential #' ls-remote ${other} 2>&1 || true`,
      ),
    ).toContain("its own user only");
  });

  test("a twin of the same user finds the way to Git closed, token or not", async () => {
    const twin = await platform.twin("user1", "pump");
    const credential = await inside("cat /run/dtaas/git-credential");
    const token = /password=(\S+)/.exec(credential)?.[1] ?? "";
    const gateway = await inside("getent hosts git.dtaas.internal | cut -d' ' -f1");
    const authorization = Buffer.from(`user1:${token}`).toString("base64");
    const script = `use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => "${gateway}:9419", Timeout => 5) or die "closed"; print $s "GET /git/dtaas/user1.git/info/refs?service=git-upload-pack HTTP/1.0\\r\\nAuthorization: Basic ${authorization}\\r\\n\\r\\n"; print <$s>;`;
    const { stdout } = await run("docker", ["exec", twin?.containerId ?? "", "perl", "-e", script]);
    expect(stdout).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("opens its terminal with the address that the command prints, and with nothing less", async () => {
    const url = await opened();
    const first = await fetch(url, { redirect: "manual" });
    expect(first.status).toBe(303);
    expect(first.headers.get("location")).toBe("/terminal/");
    const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = new URL("/terminal/", url);
    expect(await (await fetch(page, { headers: { cookie } })).text()).toContain("<title>Terminal</title>");
    expect((await fetch(new URL("assets/xterm.js", page), { headers: { cookie } })).status).toBe(200);
    expect((await fetch(page)).status).toBe(401);
    const wrong = new URL(url);
    wrong.searchParams.set("token", randomBytes(32).toString("base64url"));
    expect((await fetch(wrong, { redirect: "manual" })).status).toBe(401);
    const foreign = { cookie, origin: "http://127.0.0.1:1" };
    expect((await fetch(page, { method: "POST", headers: foreign })).status).toBe(403);
    expect(await typed(url, cookie, "echo $((6 * 7)) in $PWD\n", "42 in /workspace")).toContain(
      "42 in /workspace",
    );
  });

  test("another user cannot see it, start it, or get in", async () => {
    const other = { as: "user2" };
    expect((await platform.api("/workspaces/user1", other)).status).toBe(404);
    expect((await setState("stopped", "user2")).status).toBe(404);
    expect((await ask("open", "user2")).status).toBe(404);
    expect((await platform.api("/workspaces", other)).body).toEqual({ items: [] });
    const address = (
      await run("docker", [
        "inspect",
        "-f",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        await container(),
      ])
    ).stdout.trim();
    expect((await fetch(`http://${address}:7681/terminal/`)).status).toBe(401); // as a twin in the same network would
  });

  test("stops it and starts it again: files that were not committed are there, and the old token opens nothing", async () => {
    await inside(
      "echo mine > notes.txt; echo '# more' >> digital_twins/pump/dt.yaml; echo 'alias x=y' > ~/.bashrc",
    );
    const old = await inside("cat /run/dtaas/git-credential");
    expect((await platform.cli("workspace", "stop", "user1")).stdout).toMatch(/^user1: stopped/);
    expect(await container()).toBe("");
    const authorization = `Basic ${Buffer.from(`user1:${/password=(\S+)/.exec(old)?.[1]}`).toString("base64")}`;
    const refs = `${platform.apiUrl}/git/dtaas/user1.git/info/refs?service=git-upload-pack`;
    expect((await fetch(refs, { headers: { authorization } })).status).toBe(401);
    expect((await platform.cli("workspace", "start", "user1")).stdout).toMatch(/^user1: ready/);
    expect((await fetch(refs, { headers: { authorization } })).status).toBe(401);
    expect(await inside("cat notes.txt ~/.bashrc; tail -1 digital_twins/pump/dt.yaml")).toBe(
      "mine\nalias x=y\n# more",
    );
    expect((await view()).workTree?.changed.toSorted()).toEqual(["digital_twins/pump/dt.yaml", "notes.txt"]);
  });

  test("is told what upstream has while there is something uncommitted, and gets it once there is not", async () => {
    await clone.write("README.md", "# from elsewhere\n");
    const commit = await clone.push("docs: from elsewhere");
    await until("it says that it is behind", async () => {
      const { workTree } = await view();
      return workTree?.behind === 1 || workTree;
    });
    expect((await platform.cli("workspace", "show", "user1")).stdout).toMatch(
      /work tree +2 changed, 1 to pull/,
    );
    expect(await inside("git rev-parse HEAD")).not.toBe(commit);
    expect(await inside("cat notes.txt; tail -1 digital_twins/pump/dt.yaml")).toBe("mine\n# more");
    await inside("git checkout -q digital_twins/pump/dt.yaml");
    await clone.write("README.md", "# from elsewhere, again\n");
    const next = await clone.push("docs: again");
    await until("it follows", async () => (await inside("git rev-parse HEAD")) === next);
    expect(await inside("cat notes.txt")).toBe("mine");
  });

  test("survives the death of the runner and an emptied Redis", async () => {
    const before = await container();
    await platform.runner?.kill();
    await platform.flushRedis();
    await platform.startRunner();
    await isIn("ready");
    expect(await container()).toBe(before);
    await inside("git commit -qm 'chore: nothing' --allow-empty");
    await until("git push works again", async () => (await inside("git push -q 2>&1 || true")) === "");
    await clone.git("pull", "-q", "origin", "main");
    await until("its address works again", async () => {
      const { status } = await fetch(await opened(), { redirect: "manual" });
      return status === 303 || status;
    });
  });

  test("kills what runs in it, and it comes back with its files", async () => {
    const before = await container();
    await run("docker", ["kill", before]);
    await until("another container runs", async () => {
      const now = await container();
      return (now !== "" && now !== before) || now;
    });
    await isIn("ready");
    expect(await inside("cat notes.txt")).toBe("mine");
  });

  test("is told that its image is not today's any more, and gets that with the next session", async () => {
    const image = (await run("docker", ["inspect", "-f", "{{.Image}}", await container()])).stdout.trim();
    const tag = (await run("docker", ["inspect", "-f", "{{index .RepoTags 0}}", image])).stdout.trim();
    await run("docker", ["rmi", "--force", tag]); // as after an upgrade: what it should be made from is another one
    expect((await ask("keep-alive")).status).toBe(202);
    await until("it says so", async () => (await view()).behind?.includes("upgraded") === true);
    expect((await platform.cli("workspace", "list")).stdout).toContain("has been upgraded");
    expect((await ask("restart")).status).toBe(202);
    await isIn("ready", buildMs);
    expect((await view()).behind).toBeNull();
    expect((await view()).stages.map(({ name }) => name)).toContain("building");
  });

  test("loses sight of shared assets that were taken away, and of nothing else", async () => {
    const before = await container();
    await members("DELETE");
    await until(
      "another container runs",
      async () => {
        const now = await container();
        return (now !== "" && now !== before) || now;
      },
      90_000,
    );
    await isIn("ready");
    expect(await inside("ls /assets; ls common/models; cat notes.txt")).toBe("dtaas+user1\nown.txt\nmine");
  });

  test("asks for more than the platform gives, or for an image it does not allow, and is refused at the line", async () => {
    await changePlatform(
      platform,
      "  limits: { workspace: { cpus: 1, memory: 1Gi, pids: 512 } }\n  policies: { images: ['dtaas/*'] }\n",
    );
    await clone.write("workspace.yaml", workspaceYaml().replace("cpus: 1", "cpus: 2"));
    await clone.push("feat: more");
    await until("it is refused", async () => {
      const { status, body } = await ask("restart");
      return (status === 422 && (body as { code: string }).code === "WORKSPACE_LIMIT_EXCEEDED") || body;
    });
    const { body } = await ask("restart");
    expect(body).toMatchObject({ where: { file: "workspace.yaml", line: 5 } });
    expect((await view()).state).toBe("ready"); // what runs is left alone
    await clone.write(
      "workspace.yaml",
      "apiVersion: dtaas/v1\nkind: Workspace\nspec: { image: 'debian:12' }\n",
    );
    await clone.push("feat: another image");
    expect((await ask("restart")).body).toMatchObject({ code: "IMAGE_NOT_ALLOWED", status: 422 });
    await clone.write("workspace.yaml", "apiVersion: dtaas/v1\nkind: Workspace\nspec: { imaeg: x }\n");
    await clone.push("feat: a typing error");
    expect((await ask("restart")).body).toMatchObject({
      code: "WORKSPACE_SPEC_BROKEN",
      hint: "did you mean `image`?",
    });
  });

  test("works in a ready image that the platform allows", async () => {
    await clone.write(
      "workspace.yaml",
      "apiVersion: dtaas/v1\nkind: Workspace\nspec: { image: 'dtaas/base:bookworm' }\n",
    );
    await clone.push("feat: a ready image");
    expect((await ask("restart")).status).toBe(202);
    // It has nothing that stays up: it is started some times, then given up, and says why.
    await until("it is given up", async () => {
      const now = await view();
      return (now.state === "failed" && now.image === "dtaas/base:bookworm") || now.state;
    });
    expect((await view()).reason).toMatch(/its tools ended with exit code 0/);
  });

  test("changes its mind while the image is built", async () => {
    await clone.write("workspace.yaml", workspaceYaml("  packages: { apt: [figlet] }\n"));
    await clone.push("feat: a package");
    expect((await setState("running")).status).toBe(202);
    await isIn("building");
    expect((await setState("stopped")).status).toBe(202);
    await isIn("stopped", 30_000);
    expect((await view()).reason).toBeNull();
    expect(await container()).toBe("");
  });

  test("rebuilds it, and its files stay", async () => {
    expect((await ask("rebuild")).status).toBe(202);
    await isIn("ready", buildMs);
    expect((await view()).stages.map(({ name }) => name)).toContain("building");
    expect(await inside("figlet -f mini x | wc -l; cat notes.txt")).toMatch(/^\d+\nmine$/);
  });

  test("takes Jupyter for its tools: notebooks run, and the terminal is in the same work tree", async () => {
    await clone.write("workspace.yaml", workspaceYaml().replace("template: base", "template: jupyter"));
    await clone.push("feat: notebooks");
    const restart = await platform.cli("workspace", "restart", "user1", "--timeout", String(buildMs / 1000));
    expect(restart.stdout).toMatch(/^user1: ready/);
    const services = await platform.api("/workspaces/user1/services", { as: "user1" });
    const items = (services.body as { items: { name: string; path: string }[] }).items;
    expect(items.map(({ name }) => name)).toEqual(["notebook", "terminal"]);
    const { accessToken, url } = tokenIn(await opened());
    const jupyter = async (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${accessToken}`, "content-type": "application/json" };
      return await fetch(new URL(path, url), { ...init, headers });
    };
    expect((await jupyter("/tree")).status).toBe(200);
    expect(await (await jupyter("/api/contents/notes.txt")).json()).toMatchObject({ content: "mine\n" });
    const kernel = await jupyter("/api/kernels", {
      method: "POST",
      body: JSON.stringify({ name: "python3" }),
    });
    expect(kernel.status).toBe(201);
    expect((await jupyter("/api/terminals", { method: "POST" })).status).toBe(200);
    for (const { path } of items) expect((await jupyter(path)).status, path).toBe(200);
  });

  test("asks for a package that does not exist and reads why nothing was built", async () => {
    await clone.write("workspace.yaml", workspaceYaml("  packages: { apt: [no-such-package-here] }\n"));
    await clone.push("feat: a package that is none");
    const restart = await platform.cli("workspace", "restart", "user1", "--timeout", String(buildMs / 1000));
    expect(restart.code).toBe(1);
    expect(restart.stdout).toMatch(/^user1: failed \(.*no-such-package-here/);
  });

  test("leaves it alone, and it stops by itself; work and keep-alive hold it up", async () => {
    await clone.write("workspace.yaml", workspaceYaml("  idle: { stopAfter: 10s }\n"));
    await clone.push("feat: stop when idle");
    expect((await ask("restart")).status).toBe(202);
    await isIn("ready", buildMs);
    const id = await container();
    await run("docker", ["exec", "-d", id, "timeout", "20", "sh", "-c", "while :; do :; done"]);
    await until("it counts as work", async () => (await view()).lastActiveAt !== null);
    const { stopsIdleAt } = await view();
    expect((await ask("keep-alive")).status).toBe(202);
    await until("its end moves", async () => ((await view()).stopsIdleAt ?? "") > (stopsIdleAt ?? ""));
    await isIn("stopped", 90_000);
    expect((await view()).reason).toMatch(/^stopped after 10 s without work/);
    expect((await ask("keep-alive")).body).toMatchObject({ code: "WORKSPACE_NOT_RUNNING", status: 409 });
    expect((await setState("running")).status).toBe(202);
    await isIn("ready");
  });
});

/** The token inside an address that `open` gave, for programs that send it as a bearer. */
function tokenIn(address: string): { accessToken: string; url: URL } {
  const url = new URL(address);
  return { accessToken: url.searchParams.get("token") ?? "", url };
}

/** Adds lines below `spec:` of platform.yaml, as an administrator does. */
async function changePlatform(platform: Platform, lines: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dtaas-platform-"));
  const url = new URL(`${platform.forgeUrl}/dtaas/platform.git`);
  url.username = "root";
  url.password = platform.token("root");
  await run("git", ["clone", "-q", url.href, folder]);
  const clone = new Clone(folder, "root");
  await clone.write("platform.yaml", `${await clone.read("platform.yaml")}\n${lines}`);
  await clone.push("feat: say more");
  await rm(folder, { recursive: true, force: true });
}

/** Types into the terminal as its page does, and gives what it showed until `wanted`. */
async function typed(url: string, cookie: string, text: string, wanted: string): Promise<string> {
  const { host, hostname, port, origin } = new URL(url);
  const headers = {
    host,
    origin,
    cookie,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
  };
  return await new Promise((resolve, reject) => {
    const asked = get({ hostname, port, path: "/terminal/socket", headers });
    let shown = "";
    const late = setTimeout(() => {
      asked.destroy();
      reject(new Error(`the terminal showed ${JSON.stringify(shown)}`));
    }, 20_000);
    asked.once("error", reject);
    asked.once("response", ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    asked.once("upgrade", (_response, socket) => {
      socket.write(textFrame(JSON.stringify(["stdin", text])));
      socket.on("data", (chunk: Buffer) => {
        // Frames of a server are not masked: what it says can be read as it comes.
        shown += chunk.toString("latin1");
        if (!shown.includes(wanted)) return;
        clearTimeout(late);
        socket.destroy();
        resolve(shown);
      });
    });
  });
}

/** One short WebSocket frame of a client (RFC 6455): masked, with a mask that changes nothing. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
