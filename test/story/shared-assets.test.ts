import { execFile } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedAssets } from "#schemas/api";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { runningSpec } from "./twin-files.ts";

const platformFile = `apiVersion: dtaas/v1
kind: Platform
spec:
  group: dtaas
  shared:
    - project: dtaas/common
    - project: dtaas/pumps
    - project: dtaas/turbines
  defaults:
    workspace: { template: base }
`;
const script = "#!/bin/sh\necho up\ntrap 'exit 0' TERM\nwhile :; do sleep 0.2; done\n";
const jobScript =
  '#!/bin/sh\nmkdir -p out\n(cd /workspace/common && find -L . -type f -not -path "./.r/*" | sort | xargs cat) > out/seen\n';

interface Shell {
  code: number;
  out: string;
}

describe("two users and three shared repositories, one of which only one of them may read", () => {
  let platform: Platform;
  let user1: Clone;
  let user2: Clone;
  let pumps: Clone;
  let turbines: Clone;
  let turbinesId = 0;
  const clones: Clone[] = [];

  const containerOf = async (user: string, twin: string) =>
    (await platform.twin(user, twin))?.containerId ?? "";
  /** Inside the running twin, as its own user. */
  const inside = async (user: string, twin: string, command: string): Promise<Shell> => {
    const container = await containerOf(user, twin);
    return await new Promise((resolve) => {
      execFile("docker", ["exec", container, "sh", "-c", command], (error, stdout, stderr) =>
        resolve({
          code: typeof error?.code === "number" ? error.code : error ? 1 : 0,
          out: `${stdout}${stderr}`.trim(),
        }),
      );
    });
  };
  const sees = async (user: string, twin: string, command: string) =>
    (await inside(user, twin, command)).out.split("\n").filter(Boolean);
  const isLive = (user: string, twin: string) =>
    until(`${user}/${twin} is live`, async () => {
      const seen = await platform.twin(user, twin);
      return seen?.phase === "live" || JSON.stringify(seen);
    });
  const addTwin = async (clone: Clone, name: string, assets: string[] = []) => {
    const more =
      assets.length === 0 ? "" : `  assets: [${assets.map((path) => `{ model: ${path} }`).join(", ")}]\n`;
    await clone.write(`digital_twins/${name}/dt.yaml`, runningSpec(name, more));
    await clone.write(`digital_twins/${name}/lifecycle/execute`, script, 0o755);
  };
  const assets = async (user: string) => (await platform.api(`/users/${user}/assets`)).body as SharedAssets;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    await platform.createProject("pumps", ["user1", "user2"]);
    turbinesId = await platform.createProject("turbines", ["user1"]);
    [user1, user2] = [await platform.clone("user1"), await platform.clone("user2")];
    [pumps, turbines] = [await platform.cloneAsRoot("pumps"), await platform.cloneAsRoot("turbines")];
    const settings = await platform.cloneAsRoot("platform");
    clones.push(user1, user2, pumps, turbines, settings);
    await pumps.write("models/pump/model.py", "pump = 1\n");
    await pumps.write("models/water-tank/tank.py", "a second tank\n");
    await pumps.push("feat: add pumps");
    await turbines.write("models/blade/blade.py", "blade = 1\n");
    await turbines.write("models/hub/hub.py", "hub = 1\n");
    await turbines.push("feat: add turbines");
    await settings.write("platform.yaml", platformFile);
    await settings.push("feat: share pumps and turbines");
    for (const clone of [user1, user2]) {
      await clone.write("README.md", "# mine\n");
      await clone.push("docs: begin");
    }
    await until("both see what they may read", async () => {
      const seen = await Promise.all([assets("user1"), assets("user2")]);
      const counts = seen.map(({ repositories }) => repositories?.length);
      return counts.join() === "3,2" || counts.join();
    });
  });
  afterAll(async () => {
    await platform?.close();
    for (const { folder } of clones) await rm(folder, { recursive: true, force: true });
  });

  test("each twin sees exactly what its user may read, the user's own folder first", async () => {
    await user1.write("common/models/pump/model.py", "pump = own\n");
    await addTwin(user1, "plain");
    await addTwin(user1, "blades", ["common/models/blade"]);
    await user1.push("feat: add twins");
    await addTwin(user2, "plain");
    await user2.push("feat: add a twin");
    await Promise.all([isLive("user1", "plain"), isLive("user1", "blades"), isLive("user2", "plain")]);

    const common = ["incubator-thermal", "mass-spring-damper-1", "mass-spring-damper-2", "water-tank"];
    expect(await sees("user1", "plain", "ls /workspace/common/models")).toEqual(
      [...common, "blade", "hub", "pump"].sort(),
    );
    expect(await sees("user2", "plain", "ls /workspace/common/models")).toEqual([...common, "pump"].sort());
    expect(await sees("user1", "plain", "cat /workspace/common/models/pump/model.py")).toEqual([
      "pump = own",
    ]);
    expect(await sees("user2", "plain", "cat /workspace/common/models/pump/model.py")).toEqual(["pump = 1"]);
    const tank = await inside("user2", "plain", "cat /workspace/common/models/water-tank/tank.py");
    expect(tank).toMatchObject({ code: 0, out: expect.not.stringContaining("a second tank") });
    expect(await sees("user2", "plain", "ls /assets")).toEqual(["dtaas+common", "dtaas+pumps"]);
  });

  test("nothing of it can be changed from inside", async () => {
    for (const attempt of [
      "echo x > /workspace/common/models/blade/blade.py",
      "echo x > /workspace/common/models/blade/new.py",
      "rm /workspace/common/models/blade",
      "mkdir /workspace/common/models/mine",
      "ln -sfn /tmp /views/current",
      "touch /assets/made",
      "touch /assets/dtaas+turbines/*/models/blade/made",
    ]) {
      expect((await inside("user1", "blades", attempt)).code, attempt).not.toBe(0);
    }
    expect(await sees("user1", "blades", "cat /workspace/common/models/blade/blade.py")).toEqual([
      "blade = 1",
    ]);
  });

  test("where assets come from and what is hidden is told by the command", async () => {
    const { stdout } = await platform.cli("assets", "user1");
    expect(stdout).toMatch(/common\/models\/blade +dtaas\/turbines/);
    expect(stdout).toMatch(/common\/models\/pump +dtaas\/user1/);
    expect(stdout).toMatch(/common\/models\/pump +dtaas\/pumps +\S+ +hidden: dtaas\/user1 comes first/);
    expect(stdout).toMatch(
      /common\/models\/water-tank +dtaas\/pumps +\S+ +hidden: dtaas\/common comes first/,
    );
    expect((await assets("user2")).assets.map(({ project }) => project)).not.toContain("dtaas/turbines");
    const head = await pumps.git("rev-parse", "HEAD");
    await until("the commit of the hidden asset says so", async () => {
      const told = (await platform.statuses("pumps", head)).find(({ name }) => name === "dtaas/shared");
      return told?.description.includes("models/water-tank (dtaas/common)") || JSON.stringify(told);
    });
  });

  let oldRun = "";
  let oldOutput = "";

  test("a job keeps what it saw", async () => {
    await user1.write(
      "digital_twins/job/dt.yaml",
      `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: job }
spec:
  workspace: { template: base }
  lifecycle:
    analyse: { run: lifecycle/analyse, outputs: [digital_twins/job/out] }
`,
    );
    await user1.write("digital_twins/job/lifecycle/analyse", jobScript, 0o755);
    await user1.push("feat: add a job");
    await until("the job is ready", async () => (await platform.twin("user1", "job"))?.phase === "ready");
    const ran = await platform.cli("twin", "run", "user1/job", "analyse", "-f", "--json");
    expect(ran).toMatchObject({ code: 0 });
    [oldRun, oldOutput] = await newestOutput();
    expect(oldOutput).toContain("hub = 1");
  });

  test("a push to a shared repository restarts the twin that declares the asset, and no other", async () => {
    const before = await Promise.all(
      [
        ["user1", "plain"],
        ["user1", "blades"],
        ["user2", "plain"],
      ].map(([user = "", twin = ""]) => containerOf(user, twin)),
    );
    await turbines.write("models/hub/hub.py", "hub = 2\n"); // nobody declares it
    await turbines.push("feat: change the hub");
    await until("user1 sees the new revision", async () => {
      const head = await turbines.git("rev-parse", "HEAD");
      return (await assets("user1")).repositories.some(({ commit }) => commit === head);
    });
    await turbines.write("models/blade/blade.py", "blade = 2\n");
    await turbines.push("feat: change the blade");
    await until("the twin was replaced", async () => (await containerOf("user1", "blades")) !== before[1]);
    await isLive("user1", "blades");
    expect(await sees("user1", "blades", "cat /workspace/common/models/*/*.py | grep =")).toEqual(
      expect.arrayContaining(["blade = 2", "hub = 2"]),
    );
    expect(await containerOf("user1", "plain")).toBe(before[0]);
    expect(await containerOf("user2", "plain")).toBe(before[2]);
    expect(await sees("user1", "plain", "cat /workspace/common/models/hub/hub.py")).toEqual(["hub = 1"]);
  });

  test("the old run is done again, and sees byte for byte what it saw", async () => {
    expect((await platform.cli("twin", "run", "user1/job", "analyse", "-f")).code).toBe(0);
    const [, today] = await newestOutput();
    expect(today).toContain("hub = 2");
    expect((await platform.cli("twin", "rerun", "user1/job", oldRun, "-f")).code).toBe(0);
    const [again, output] = await newestOutput();
    expect(again).not.toBe(oldRun);
    expect(output).toBe(oldOutput);
  });

  test("a grant restarts nothing, is told, and is seen from the next start on", async () => {
    const before = await containerOf("user2", "plain");
    await platform.setMember(turbinesId, "user2", true);
    await until("it is told", async () => {
      const twin = await platform.twin("user2", "plain");
      return twin?.reason === "sees dtaas/turbines from its next start" || JSON.stringify(twin);
    });
    expect(await containerOf("user2", "plain")).toBe(before);
    expect((await inside("user2", "plain", "ls /assets/dtaas+turbines")).code).not.toBe(0);
    execFile("docker", ["kill", before]);
    await until("it was started again", async () => (await containerOf("user2", "plain")) !== before);
    await isLive("user2", "plain");
    expect(await sees("user2", "plain", "cat /workspace/common/models/hub/hub.py")).toEqual(["hub = 2"]);
  });

  test("access that is removed on the forge is gone inside within 60 seconds", async () => {
    const [plain, blades, other] = await Promise.all([
      containerOf("user1", "plain"),
      containerOf("user1", "blades"),
      containerOf("user2", "plain"),
    ]);
    const path = "/assets/dtaas+turbines/*/models/hub/hub.py";
    expect((await inside("user1", "plain", `cat ${path}`)).code).toBe(0);
    await platform.setMember(turbinesId, "user1", false);
    await until("the twin that declares an asset says so", async () => {
      const twin = await platform.twin("user1", "blades");
      return (twin?.phase === "failed" && twin.reason?.includes("dtaas/turbines")) || JSON.stringify(twin);
    });
    await until(
      "the other twin was started without it",
      async () => (await containerOf("user1", "plain")) !== plain,
    );
    await isLive("user1", "plain");
    expect((await inside("user1", "plain", `cat ${path}`)).code).not.toBe(0);
    expect(await sees("user1", "plain", "ls /workspace/common/models")).not.toContain("hub");
    const states = new Map((await platform.containers()).map(({ id, state }) => [id, state]));
    expect([states.get(plain), states.get(blades)]).toEqual([undefined, undefined]);
    expect(await containerOf("user2", "plain")).toBe(other);
    const refused = await platform.cli("twin", "run", "user1/blades", "execute");
    expect(refused.stderr).toContain("dtaas/turbines");
    const rerun = await platform.cli("twin", "rerun", "user1/job", oldRun, "-f");
    expect(rerun.code).not.toBe(0);
  });

  test("access that is given again brings the twin back", async () => {
    await platform.setMember(turbinesId, "user1", true);
    await isLive("user1", "blades");
  });

  test("a user's own list adds a repository, behind those of the platform", async () => {
    const id = await platform.createProject("valves");
    const valves = await platform.cloneAsRoot("valves");
    clones.push(valves);
    await valves.write("models/valve/model.py", "valve = 1\n");
    await valves.write("models/hub/hub.py", "a second hub\n");
    await valves.push("feat: add valves");
    await user2.write(
      "workspace.yaml",
      "apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  shared: [dtaas/valves]\n",
    );
    await user2.push("feat: use valves");
    await until("it is said that it may not be read", async () => {
      const { problems } = await assets("user2");
      return problems.some(({ reason }) => reason.includes("may not read")) || JSON.stringify(problems);
    });
    await platform.setMember(id, "user2", true);
    await until("it is in the view", async () => {
      const seen = await assets("user2");
      return seen.hidden.some(
        ({ project, behind }) => project === "dtaas/valves" && behind === "dtaas/turbines",
      );
    });
    await valves.write("models/valve/model.py", "valve = 2\n");
    const head = await valves.push("feat: change the valve");
    await until("a push to it is seen", async () =>
      (await assets("user2")).repositories.some(({ commit }) => commit === head),
    );
    expect((await assets("user1")).repositories.map(({ project }) => project)).not.toContain("dtaas/valves");
  });

  test("a shared repository that breaks leaves the last good view, and says so", async () => {
    const good = await turbines.git("rev-parse", "HEAD");
    await turbines.write("models/hub/hub.py", "hub = 3\n");
    await turbines.git("update-index", "--add", "--cacheinfo", `160000,${good},models/submodule`);
    await turbines.git("add", "models/hub");
    await turbines.git("commit", "-q", "-m", "feat: break it");
    await turbines.git("push", "-q", "origin", "HEAD:main");
    await until("it is said", async () => {
      const { problems } = await assets("user2");
      return problems.some(
        ({ project, reason }) => project === "dtaas/turbines" && reason.includes("submodule"),
      );
    });
    const { repositories } = await assets("user2");
    expect(repositories.find(({ project }) => project === "dtaas/turbines")?.commit).toBe(good);
    await turbines.git("rm", "-q", "--cached", "models/submodule");
    await turbines.git("commit", "-q", "-m", "fix: mend it");
    await turbines.git("push", "-q", "origin", "HEAD:main");
    await until("it is mended", async () => (await assets("user2")).problems.length === 0);
  });

  test("one that cannot be reached leaves the last good view, and says so at the user's commit, too", async () => {
    const twin = await containerOf("user2", "plain");
    const repository = join(platform.settings.dataFolder, "forge", "repositories", `${turbinesId}.git`);
    const head = (await turbines.git("rev-parse", "HEAD")).trim();
    await rename(repository, `${repository}-away`); // as on a damaged disk of the Git host
    try {
      await until(
        "it is said",
        async () => {
          const { problems } = await assets("user2");
          const isSaid = problems.some(
            ({ project, reason }) => project === "dtaas/turbines" && reason.includes("cannot be reached"),
          );
          return isSaid || JSON.stringify(problems);
        },
        120_000,
      );
      expect(
        (await assets("user2")).repositories.find(({ project }) => project === "dtaas/turbines")?.commit,
      ).toBe(head);
      expect((await platform.cli("assets", "user2")).stdout).toContain(
        "dtaas/turbines: it cannot be reached",
      );
      const own = (await user2.git("rev-parse", "HEAD")).trim();
      const remark = async () =>
        (await platform.statuses("user2", own)).find(({ name }) => name === "dtaas")?.description ?? "";
      await until(
        "the commit says so",
        async () => (await remark()).includes("dtaas/turbines") || (await remark()),
      );
      expect(await containerOf("user2", "plain")).toBe(twin);
      expect((await inside("user2", "plain", "cat /workspace/common/models/hub/hub.py")).code).toBe(0);
    } finally {
      await rename(`${repository}-away`, repository);
    }
    await until("it is reached again", async () => (await assets("user2")).problems.length === 0, 120_000);
  });

  /** The newest run of the job that ended well: its id, and what it kept. */
  async function newestOutput(): Promise<[string, string]> {
    const { items } = (await platform.api("/twins/user1/job/runs")).body as {
      items: { id: string; outcome: string }[];
    };
    const id = items.find(({ outcome }) => outcome === "succeeded")?.id ?? "";
    const { body } = await platform.api(`/twins/user1/job/runs/${id}/outputs/digital_twins/job/out/seen`, {
      text: true,
    });
    return [id, String(body)];
  }
});
