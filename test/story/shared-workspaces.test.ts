import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ForgeAdmin } from "#cli/up/forge-admin";
import type { SharedAssets } from "#schemas/api";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const buildMs = 170_000; // the first workspace installs packages
const users = ["user1", "user2"] as const;
type User = (typeof users)[number];

const workspaceYaml = `apiVersion: dtaas/v1
kind: Workspace
spec: { template: base, resources: { cpus: 1, memory: 512Mi } }
`;
const common = ["incubator-thermal", "mass-spring-damper-1", "mass-spring-damper-2", "water-tank"];

/** As after `npm start`: the common library, `lab/turbine-assets` for both, `lab/rotor-tests` for the group of user1. */
describe("two users with workspaces, and three shared repositories of which one is for one of them alone", () => {
  let platform: Platform;
  let turbines: Clone;
  const clones: Clone[] = [];

  const container = async (user: User) => {
    const labels = [
      `label=dtaas.installation=${platform.settings.secrets.installation}`,
      `label=dtaas.workspace=${user}`,
    ];
    const { stdout } = await run("docker", ["ps", "-q", ...labels.flatMap((one) => ["--filter", one])]);
    return stdout.trim();
  };
  /** What a command inside prints; a command that fails prints `refused` last. */
  const inside = async (user: User, script: string) => {
    const command = ["exec", await container(user), "bash", "-c", `{ ${script}\n} 2>&1 || echo refused`];
    return (await run("docker", command)).stdout.trim();
  };
  const lines = async (user: User, script: string) =>
    (await inside(user, script)).split("\n").filter(Boolean);
  const assets = async (user: User) => (await platform.api(`/users/${user}/assets`)).body as SharedAssets;
  const isReady = (user: User) =>
    until(`the workspace of ${user} is ready`, async () => {
      const now = (await platform.api(`/workspaces/${user}`, { as: user })).body as WorkspaceView;
      return now.state === "ready" || `${now.state}: ${now.reason}`;
    });

  beforeAll(async () => {
    platform = await Platform.start({ users, lab: true });
    turbines = await platform.cloneAsRoot("turbine-assets", "lab");
    clones.push(turbines);
    for (const user of users) {
      const clone = await platform.clone(user);
      clones.push(clone);
      await clone.write("workspace.yaml", workspaceYaml);
      await clone.write(`common/models/of-${user}/model.py`, "own = 1\n");
      await clone.push("feat: begin");
    }
    await until("both see what they may read", async () => {
      const seen = await Promise.all(users.map(assets));
      const counts = seen
        .map(({ repositories, problems }) => `${repositories.length} ${problems.length}`)
        .join();
      return counts === "4 0,3 0" || counts;
    });
    for (const user of users) {
      const started = await platform.cli("workspace", "start", user, "--timeout", String(buildMs / 1000));
      expect(started.stdout).toMatch(new RegExp(`^${user}: ready`));
    }
  }, 600_000);
  afterAll(async () => {
    await platform?.close();
    for (const { folder } of clones) await rm(folder, { recursive: true, force: true });
  });

  test("each sees exactly the right view, in the list, on the disk and by the command", async () => {
    const both = ["dtaas+common", "lab+turbine-assets"];
    expect(await lines("user1", "ls /assets")).toEqual([
      "dtaas+common",
      "dtaas+user1",
      "lab+rotor-tests",
      "lab+turbine-assets",
    ]);
    expect(await lines("user2", "ls /assets")).toEqual([both[0], "dtaas+user2", both[1]]);
    expect(await lines("user1", "ls /workspace/common/models")).toEqual(
      [...common, "of-user1", "rotor-power"].sort(),
    );
    expect(await lines("user2", "ls /workspace/common/models")).toEqual(
      [...common, "of-user2", "rotor-power"].sort(),
    );
    expect(await lines("user1", "ls /workspace/common/data")).toEqual([
      "incubator",
      "rotor-strain",
      "site-wind",
    ]);
    expect(await lines("user2", "ls /workspace/common/data")).toEqual(["incubator", "site-wind"]);
    const strain = "/workspace/common/data/rotor-strain/strain.csv";
    expect(await inside("user1", `head -1 ${strain}`)).toBe("second,microstrain");
    expect(await inside("user2", `cat ${strain} || false`)).toMatch(/No such file or directory\nrefused$/);
    expect(await inside("user2", "ls /assets/lab+rotor-tests || false")).toMatch(/refused$/);
    expect((await platform.cli("assets", "user1")).stdout).toMatch(
      /common\/data\/rotor-strain +lab\/rotor-tests/,
    );
    expect((await platform.cli("assets", "user2")).stdout).not.toContain("rotor-tests");
  });

  test("nothing of it can be changed from inside", async () => {
    for (const attempt of [
      "echo x > /workspace/common/models/rotor-power/rotor.py",
      "echo x > /workspace/common/models/rotor-power/new.py",
      "rm /workspace/common/models/rotor-power",
      "mkdir /workspace/common/models/mine",
      "touch /assets/made",
      "touch /assets/lab+turbine-assets/made",
      "chmod 777 /assets/lab+turbine-assets/*/models",
      "ln -sfn /tmp /views/current",
    ]) {
      for (const user of users)
        expect(await inside(user, attempt), `${user}: ${attempt}`).toMatch(/refused$/);
    }
  });

  test("a push appears in both within seconds, with a file open in one of them throughout, and nothing half-made in between", async () => {
    const file = "/workspace/common/models/rotor-power/rotor.py";
    const before = await inside("user1", `cat ${file} | sha256sum`);
    const containers = await Promise.all(users.map(container));
    // Somebody has begun to read, and ends when told to; somebody else looks at every name that ever appears.
    await run("docker", [
      ...["exec", "-d", containers[0] ?? "", "bash", "-c"],
      `exec 3< ${file}; head -c 100 <&3 > ~/held; until [ -e ~/go ]; do sleep 0.1; done; cat <&3 >> ~/held; sha256sum < ~/held > ~/sum`,
    ]);
    await run("docker", [
      ...["exec", "-d", containers[1] ?? "", "bash", "-c"],
      "until [ -e ~/stop ]; do ls -A /assets/lab+turbine-assets; done | sort -u > ~/names; touch ~/named",
    ]);
    await until("the file is open", async () => (await inside("user1", "wc -c < ~/held")) === "100");
    for (const version of [2, 3, 4]) {
      const many = Array.from({ length: 300 }, (_, n) => n);
      for (const n of many) await turbines.write(`data/series/part${n}.csv`, `${version} ${n}\n`.repeat(200));
      await turbines.write("models/rotor-power/rotor.py", `VERSION = ${version}\n`);
      await turbines.push(`feat: version ${version}`);
      const pushedMs = Date.now();
      for (const user of users) {
        await until(
          `${user} sees version ${version}`,
          async () => (await inside(user, `cat ${file}`)) === `VERSION = ${version}`,
          30_000,
        );
        expect(await inside(user, "cat /workspace/common/data/series/* | sort -u | wc -l")).toBe("300");
      }
      expect(Date.now() - pushedMs).toBeLessThan(30_000);
    }
    expect(await Promise.all(users.map(container))).toEqual(containers); // the same sessions all along
    await inside("user1", "touch ~/go");
    await until(
      "who had begun to read has ended",
      async () => (await inside("user1", "cat ~/sum")) === before,
    );
    await inside("user2", "touch ~/stop");
    await until("who looked has ended", async () =>
      (await inside("user2", "ls ~/named || true")).endsWith("named"),
    );
    for (const name of await lines("user2", "cat ~/names")) expect(name).toMatch(/^[0-9a-f]{40}$/);
  });

  test("what is taken away on the Git host is out of reach within 60 seconds, and nothing else", async () => {
    const strain = "/assets/lab+rotor-tests/*/data/rotor-strain/strain.csv";
    expect(await inside("user1", `head -1 ${strain}`)).toBe("second,microstrain");
    const other = await container("user2");
    const admin = new ForgeAdmin(platform.forgeUrl, platform.token("root"));
    const userId = (await admin.whoIs(platform.token("user1"))) ?? 0;
    await admin.removeMember(`groups/${await admin.ensureGroup("rotor")}`, userId);
    await until(
      "it cannot be read any more",
      async () => {
        const id = await container("user1");
        if (id === "") return "its container is replaced";
        const seen = await inside("user1", `cat ${strain} || false`).catch((error: unknown) => String(error));
        return seen.endsWith("No such file or directory\nrefused") || seen.slice(0, 200);
      },
      60_000,
    );
    await isReady("user1");
    expect(await lines("user1", "ls /workspace/common/data")).toEqual(["incubator", "series", "site-wind"]);
    expect(await inside("user1", "cat ~/held | wc -l")).toMatch(/^\d+$/); // its own files are there
    expect(await container("user2")).toBe(other);
    expect((await assets("user1")).repositories.map(({ project }) => project)).not.toContain(
      "lab/rotor-tests",
    );
  });
});
