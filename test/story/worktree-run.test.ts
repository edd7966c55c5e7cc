import { execFile } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunDetails } from "#schemas/api";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const buildMs = 170_000; // the first workspace installs packages

const workspaceYaml = `apiVersion: dtaas/v1
kind: Workspace
spec: { template: base, resources: { cpus: 1, memory: 512Mi } }
`;
const dtYaml = (more = "") => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: pump }
spec:
  state: running
  workspace: { template: base }
  lifecycle:
    execute: { run: lifecycle/execute }
    analyse: { run: lifecycle/analyse, outputs: [digital_twins/pump/out] }
${more}`;
const analyse = `#!/bin/sh
mkdir -p out
cat note.txt > out/note
cat /workspace/common/models/water-tank/tank.py | wc -c > out/shared
echo "worktree=$DT_WORKTREE"
`;

describe("a user who tries what is not committed", () => {
  let platform: Platform;
  let clone: Clone;

  const container = async () => {
    const labels = [
      `label=dtaas.installation=${platform.settings.secrets.installation}`,
      "label=dtaas.workspace=user1",
    ];
    const { stdout } = await run("docker", ["ps", "-q", ...labels.flatMap((one) => ["--filter", one])]);
    return stdout.trim();
  };
  const inside = async (script: string) =>
    (await run("docker", ["exec", await container(), "bash", "-c", script])).stdout.trim();
  const runIn = (...words: string[]) => platform.cli("twin", "run", "--worktree", ...words, "-f", "--json");
  const newest = async (twin = "pump") => {
    const { body } = await platform.api(`/twins/user1/${twin}/runs?limit=1`);
    const [view] = (body as { items: { id: string }[] }).items;
    return (await platform.api(`/twins/user1/${twin}/runs/${view?.id}`)).body as RunDetails;
  };
  const output = async (id: string, name: string) =>
    String(
      (
        await platform.api(`/twins/user1/pump/runs/${id}/outputs/digital_twins/pump/out/${name}`, {
          text: true,
        })
      ).body,
    );

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    clone = await platform.clone("user1");
    await clone.write("workspace.yaml", workspaceYaml);
    await clone.write("digital_twins/pump/dt.yaml", dtYaml());
    await clone.write("digital_twins/pump/note.txt", "committed\n");
    await clone.write("digital_twins/pump/lifecycle/execute", "#!/bin/sh\nexec sleep 100000\n", 0o755);
    await clone.write("digital_twins/pump/lifecycle/analyse", analyse, 0o755);
    await clone.write(".gitignore", "generated/\n");
    await clone.push("feat: begin");
    await until("the pump is live", async () => (await platform.twin("user1", "pump"))?.phase === "live");
  });
  afterAll(async () => {
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  test("is told to start the workspace first", async () => {
    const refused = await platform.cli("twin", "run", "--worktree", "user1/pump", "analyse");
    expect(refused.stderr).toContain("dtaas workspace start user1");
    const started = await platform.cli("workspace", "start", "user1", "--timeout", String(buildMs / 1000));
    expect(started.stdout).toMatch(/^user1: ready/);
  });

  test("runs the files as they are, beside the twin that Git wants, and reads what came out", async () => {
    const before = await platform.twin("user1", "pump");
    const base = await inside("git rev-parse HEAD");
    await inside("echo tried > digital_twins/pump/note.txt; mkdir generated; echo big > generated/x");
    const ran = await runIn("user1/pump", "analyse");
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("worktree=true") });
    const done = await newest();
    expect(done).toMatchObject({ worktree: true, outcome: "succeeded", revision: base });
    expect(done.manifest).toMatchObject({ worktree: true, copy: { base } });
    expect(await output(done.id, "note")).toBe("tried\n");
    expect(Number(await output(done.id, "shared"))).toBeGreaterThan(0);
    const after = await platform.twin("user1", "pump");
    expect([after?.phase, after?.containerId, after?.revision]).toEqual([
      "live",
      before?.containerId,
      before?.revision,
    ]);
    expect(await inside("cat digital_twins/pump/note.txt; git status --porcelain")).toBe(
      "tried\n M digital_twins/pump/note.txt",
    );
    expect((await platform.cli("twin", "history", "user1/pump")).stdout).toContain("request (worktree)");
  });

  test("finds nothing of the copy left behind", async () => {
    await until("the copy is gone", async () => {
      const left = await readdir(join(platform.settings.dataFolder, "copies", "user1"));
      return left.length === 0 || left.join();
    });
    await until("its layer is gone", async () => {
      const layers = (await readdir(join(platform.settings.dataFolder, "layers"))).filter((name) =>
        name.startsWith("user1.pump."),
      );
      return layers.length === 1 || layers.join();
    });
  });

  test("cannot do it again, and is told why", async () => {
    const { id } = await newest();
    const again = await platform.cli("twin", "rerun", "user1/pump", id);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("a copy of files that were not committed");
  });

  test("reads what is wrong with the dt.yaml in the workspace, with its place, before it is pushed", async () => {
    await inside("sed -i 's/state: running/state: runing/' digital_twins/pump/dt.yaml");
    const ran = await runIn("user1/pump", "analyse");
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toContain("digital_twins/pump/dt.yaml:5:10: ");
    await inside("git checkout -q digital_twins/pump/dt.yaml");
  });

  test("is not given two executions of one twin at once", async () => {
    const ran = await runIn("user1/pump", "execute");
    expect(ran.stdout).toContain("two of them must not act at once");
  });

  test("tries a twin that Git has never seen", async () => {
    await inside(
      "mkdir -p digital_twins/fresh/lifecycle; printf '#!/bin/sh\\necho never pushed\\n' > digital_twins/fresh/lifecycle/execute; chmod +x digital_twins/fresh/lifecycle/execute",
    );
    const ran = await runIn("user1/fresh", "execute");
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("never pushed") });
    await until("nothing of it is listed", async () => (await platform.twin("user1", "fresh")) === undefined);
  });

  test("meets the bounds of a copy with a clear word, and a link out of it, too", async () => {
    await inside("mkdir many; for i in $(seq 10100); do : > many/$i; done");
    expect((await runIn("user1/pump", "analyse")).stdout).toContain("a copy may have 10000");
    await inside("rm -r many; truncate -s 600M large.bin");
    expect((await runIn("user1/pump", "analyse")).stdout).toContain("512 MiB");
    await inside("rm large.bin; ln -s /etc/passwd escape");
    expect((await runIn("user1/pump", "analyse")).stdout).toContain("escape");
    await inside("rm escape");
    expect((await runIn("user1/pump", "analyse")).code).toBe(0);
  });

  test("keeps others out: a member of the project cannot run what lies in the workspace", async () => {
    const wish = { operation: "analyse", worktree: true };
    const { status } = await platform.api("/twins/user1/pump/runs", {
      method: "POST",
      body: wish,
      as: "user2",
    });
    expect([403, 404]).toContain(status);
  });

  test("loses the runner in the middle of a run, and the run goes on", async () => {
    await inside("printf '#!/bin/sh\\nsleep 8\\necho slept\\n' > digital_twins/pump/lifecycle/analyse");
    const asked = await platform.cli("twin", "run", "--worktree", "user1/pump", "analyse", "--json");
    const { id } = JSON.parse(asked.stdout) as { id: string };
    const path = `/twins/user1/pump/runs/${id}`;
    const state = async () => ((await platform.api(path)).body as RunDetails).state;
    await until("it runs", async () => (await state()) === "running");
    await platform.runner?.kill();
    await platform.startRunner();
    await until("it has ended", async () => (await state()) === "ended");
    expect(((await platform.api(path)).body as RunDetails).outcome).toBe("succeeded");
    const { workTree } = (await platform.api("/workspaces/user1", { as: "user1" })).body as WorkspaceView;
    expect(workTree?.changed).toContain("digital_twins/pump/lifecycle/analyse");
  });
});
