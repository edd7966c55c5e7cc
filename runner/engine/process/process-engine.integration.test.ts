import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import type { ContainerSpec, Engine } from "../engine.ts";
import { engineContract } from "../engine-contract.ts";
import { probeBubblewrap } from "./bubblewrap.ts";
import { countsBySandbox } from "./launch.ts";
import { machineImages, machineWorkspace } from "./machine-workspace.ts";
import { allProcesses } from "./members.ts";
import { createProcessEngine } from "./process-engine.ts";
import { RunFiles } from "./run-files.ts";

const bubblewrap = await probeBubblewrap();
const kinds = ["none", ...("version" in bubblewrap ? ["auto" as const] : [])] as const;
if ("reason" in bubblewrap) console.warn(`skipped: runs in bubblewrap: ${bubblewrap.reason}`);

const within = { timeout: 20_000, interval: 50 };
let count = 0;

async function installation(isolation: "auto" | "none") {
  const folder = await mkdtemp(join(tmpdir(), "dtaas-process-"));
  const data = dataFolder(folder);
  await mkdir(data.snapshots, { recursive: true });
  const engines: Engine[] = [];
  return {
    data,
    open(onlyUser?: string): Engine {
      const engine = createProcessEngine({
        installation: "test",
        dataFolder: data,
        logger: createLogger("test", "silent"),
        isolation,
        ...(onlyUser === undefined ? {} : { onlyUser }),
      });
      engines.push(engine);
      return engine;
    },
    async tearDown() {
      for (const engine of engines) {
        for (const { id } of await engine.containers.list()) await engine.containers.remove(id);
        await engine.close();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

for (const isolation of kinds) {
  const title = isolation === "auto" ? "processes in bubblewrap" : "plain processes";

  engineContract(title, async () => {
    const here = await installation(isolation);
    const files = new RunFiles(here.data.engine);
    return {
      open: () => here.open(),
      imageId: (engine) => engine.images.base(),
      folder: here.data.snapshots,
      lacks: {
        images: "twins are processes of the machine: there is nothing to build",
        changes: "the limits of a process are its own: nobody changes them from outside",
        ports: "all share the ports of the machine: each run gets one of its own in PORT",
        previews: "processes share the network of the machine: nothing keeps a preview from the live twin",
      },
      commands: {
        forever: ["sleep", "infinity"],
        ignoresStop: ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
        exits: (code) => ["sh", "-c", `exit ${code}`],
        printsThree: ["sh", "-c", "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three"],
        printsOneForever: ["sh", "-c", "echo one; sleep infinity"],
        writes: (path, content) => [
          "sh",
          "-c",
          'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"',
          "sh",
          path,
          content,
        ],
        prints: (path) => ["cat", path],
        succeeds: ["true"],
        fails: ["false"],
        takesForever: ["sleep", "infinity"],
      },
      stranger: {
        kill: async (id) => void process.kill(-((await files.stateOf(id))?.command?.pid ?? 0), "SIGKILL"),
        remove: (id) => here.open().containers.remove(id),
        change: async () => {},
      },
      recipes: {
        good: async (hash) => ({ hash, dockerfile: "", files: {} }),
        bad: async (hash) => ({ hash, dockerfile: "", files: {} }),
      },
      tearDown: here.tearDown,
    };
  });

  describe(title, () => {
    const here = installation(isolation);
    afterAll(async () => (await here).tearDown());

    test("go on when the runner ends, and the next one finds how they ended", async () => {
      const twins = processTwins(await here);
      const id = await twins.start("echo begun; sleep 0.5; echo ended; exit 4", { by: "gone" });
      await twins.engine("gone").close();
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 4 });
      expect(await twins.lines(id)).toEqual(["begun", "ended"]);
    });

    test("take everything they have started with them, whatever session it moved to", async () => {
      const twins = processTwins(await here);
      const mark = `${7_000_000 + Math.floor(Math.random() * 1_000_000)}`;
      const script = `sleep ${mark} & setsid sleep ${mark} & (setsid sleep ${mark} &) ; echo up; wait`;
      const id = await twins.start(script);
      await expect.poll(() => twins.lines(id), within).toEqual(["up"]);
      await expect.poll(() => running(mark), within).toBe(3);
      await twins.engine().containers.stop(id, 5_000);
      expect(running(mark)).toBe(0);
      const short = await twins.start(`setsid sleep ${mark} & echo up`);
      await expect.poll(() => twins.look(short), within).toMatchObject({ state: "exited", exitCode: 0 });
      expect(running(mark)).toBe(0);
    });

    test("count as killed, and are ended, when their supervisor is killed", async () => {
      const twins = processTwins(await here);
      const mark = `${8_000_000 + Math.floor(Math.random() * 1_000_000)}`;
      const id = await twins.start(`setsid sleep ${mark} & sleep ${mark}`);
      await expect.poll(() => running(mark), within).toBe(2);
      const state = await new RunFiles((await here).data.engine).stateOf(id);
      process.kill(state?.supervisor.pid ?? 0, "SIGKILL");
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 137 });
      await expect.poll(() => running(mark), within).toBe(0);
    });

    test("that cannot be started say why, and end as a shell would", async () => {
      const twins = processTwins(await here);
      const id = await twins.start(["/workspace/nothing-here"]);
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 127 });
      expect((await twins.lines(id)).join()).toMatch(/nothing-here/);
    });

    test("find their files, those of everybody, and a port of their own", async () => {
      const twins = processTwins(await here);
      const common = join((await here).data.snapshots, "dtaas+common");
      await mkdir(common, { recursive: true });
      await writeFile(join(common, "given"), "shared");
      const mounts = [{ source: common, target: "/workspace/common" }];
      const more = { mounts, command: ["/workspace/digital_twins/tank/say", "x"] };
      const id = await twins.start([], { ...more, workingDir: "/workspace/digital_twins/tank" });
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 0 });
      const [shared, port, own] = await twins.lines(id);
      expect(shared).toBe("shared");
      expect(Number(port)).toBeGreaterThan(1_023);
      expect(own).toBe("say");
    });

    test("find their run's files where the platform's variables say", async () => {
      const twins = processTwins(await here);
      const runFolder = await mkdtemp(join((await here).data.root, "inputs-"));
      await writeFile(join(runFolder, "parameters.json"), '{"upper":36}');
      const environment = {
        DT_PARAMETERS: "/run/dtaas/parameters.json",
        DT_PARAM_note: "/run/dtaas/ is what somebody wrote",
      };
      const id = await twins.start('cat "$DT_PARAMETERS"; echo; echo "$DT_PARAM_note"', {
        environment,
        runFolder,
      });
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 0 });
      expect(await twins.lines(id)).toEqual(['{"upper":36}', environment.DT_PARAM_note]);
    });

    test("are reached at their own port, or at the one they insist on", async () => {
      const twins = processTwins(await here);
      const listen = (port: string) =>
        `exec perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => ${port}, Listen => 5) or die; $| = 1; print $s->sockport, "\\n"; sleep 1000'`;
      const heeds = await twins.start(listen("$ENV{PORT}"));
      const insists = await twins.start(listen("0"));
      for (const id of [heeds, insists]) {
        await expect.poll(() => twins.lines(id), within).toHaveLength(1);
        const [port] = await twins.lines(id);
        const asked = id === heeds ? 8000 : Number(port);
        const endpoint = await twins.engine().containers.endpoint(id, asked);
        expect(endpoint).toEqual({ host: "127.0.0.1", port: Number(port) });
      }
    });

    test("are ended by their terminate operation, which sees their processes and their port", async () => {
      const twins = processTwins(await here);
      const trap = "trap 'echo asked; exit 0' TERM; echo $$ >pid; echo $PORT; while :; do sleep 0.1; done";
      const id = await twins.start(trap);
      await expect.poll(() => twins.lines(id), within).toHaveLength(1);
      const beside = { joinContainerId: id, layer: { id } };
      const terminate = await twins.start('echo $PORT; kill "$(cat pid)"', beside);
      await expect.poll(() => twins.look(terminate), within).toMatchObject({ exitCode: 0 });
      await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited", exitCode: 0 });
      const [port] = await twins.lines(terminate);
      expect(await twins.lines(id)).toEqual([port, "asked"]);
    });

    test("of a second user are refused", async () => {
      const twins = processTwins(await here);
      await expect(twins.start("true", { by: "only", user: "user2" })).rejects.toMatchObject({
        code: "SECOND_USER",
      });
    });
  });
}

if (kinds.length > 1) {
  test("bubblewrap keeps a run from the machine's files, processes and secrets", async () => {
    const here = await installation("auto");
    const twins = processTwins(here);
    await writeFile(join(here.data.root, "secrets.json"), "secret");
    const common = join(here.data.snapshots, "dtaas+common");
    await mkdir(common, { recursive: true });
    await writeFile(join(common, "given"), "shared");
    const refused = [
      `cat ${here.data.root}/secrets.json`,
      `kill -0 ${process.pid}`,
      "touch /usr/made",
      "touch /etc/made",
      "touch /made",
      "sh -c 'echo x >/workspace/common/given'",
      "mount -t tmpfs none /tmp",
      "test -S /run/docker.sock",
      "test -S /var/run/docker.sock",
      `ls ${process.env["HOME"] ?? "/root"}/.`,
    ];
    const allowed = ["touch /workspace/made", "touch /tmp/made", "cat /workspace/common/given >/dev/null"];
    const attempt = (command: string) => `if ${command} 2>/dev/null; then echo worked; else echo refused; fi`;
    const mounts = [{ source: common, target: "/workspace/common" }];
    const id = await twins.start([...refused, ...allowed].map(attempt).join("\n"), { mounts });
    await expect.poll(() => twins.look(id), within).toMatchObject({ state: "exited" });
    expect(await twins.lines(id)).toEqual([...refused.map(() => "refused"), ...allowed.map(() => "worked")]);
    await here.tearDown();
  });
}

test("processes are bounded only where the kernel counts those of each sandbox", () => {
  const kernels = ["4.19.0-27-amd64", "5.10.0-30-amd64", "5.14.0", "6.1.0-18-amd64", "strange"];
  expect(kernels.map(countsBySandbox)).toEqual([false, false, true, true, false]);
});

test("packages are refused with what to install", async () => {
  const workspace = { template: "python", packages: { apt: ["octave"], pip: ["numpy"] } };
  await expect(machineWorkspace(workspace)).rejects.toMatchObject({
    code: "PACKAGES_UNSUPPORTED",
    hint: "apt-get install octave\npip install numpy",
  });
  const { hash } = await machineWorkspace({ template: "base", packages: { apt: [], pip: [] } });
  expect(await machineImages().find(hash)).toBe(await machineImages().base());
});

type Installation = Awaited<ReturnType<typeof installation>>;

/** Short ways to run processes as the runner would. */
function processTwins(here: Installation) {
  const engines = new Map<string, Engine>();
  const engine = (by = "runner") => {
    const found = engines.get(by) ?? here.open(by === "only" ? "user1" : undefined);
    engines.set(by, found);
    return found;
  };
  return {
    engine,
    async start(
      script: string | string[],
      { by, user = "user1", ...more }: Partial<ContainerSpec> & { by?: string; user?: string } = {},
    ): Promise<string> {
      const { containers, layers, networks, images } = engine(by);
      const lower = join(await mkdtemp(join(here.data.snapshots, "s-")), "dtaas+user1");
      const say = join(lower, "digital_twins/tank/say");
      await mkdir(join(lower, "digital_twins/tank"), { recursive: true });
      await writeFile(say, '#!/bin/sh\ncat "$DT_WORKSPACE/common/given"; echo; echo "$PORT"; ls\n');
      await chmod(say, 0o755);
      count += 1;
      const name = `run-${count}`;
      const key = { key: "key", source: "source", revision: "a".repeat(40), attempt: "1" };
      const { id } = await containers.create({
        name,
        imageId: await images.base(),
        labels: { user, twin: "tank", operation: "execute", run: name, ...key },
        command: typeof script === "string" ? ["sh", "-c", script] : script,
        workingDir: "/workspace",
        environment: {},
        resources: { cpus: 1, memoryBytes: 128 * 1024 * 1024, pids: 64 },
        network: await networks.ensure(user),
        layer: await layers.ensure(name, lower),
        graceMs: 1_000,
        ...more,
      });
      await containers.start(id);
      return id;
    },
    look: async (id: string) => (await engine().containers.list()).find((each) => each.id === id),
    async lines(id: string): Promise<string[]> {
      const lines: string[] = [];
      const options = { follow: false, signal: AbortSignal.timeout(20_000) };
      for await (const line of engine().containers.logs(id, options)) lines.push(line.text);
      return lines;
    },
  };
}

/** How many living processes are `sleep` for exactly this long. */
function running(seconds: string): number {
  return allProcesses().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  }).length;
}
