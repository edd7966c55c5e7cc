import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containerConfig } from "#runner/engine/docker/container-config";
import type { ContainerSpec, Engine } from "#runner/engine/engine";
import { dockerForTests } from "#test/docker-for-tests";

/**
 * A question that a container asks itself, and the one restriction it is about. With our configuration the answer is
 * `held`; with the restriction taken away it must be something else, or the question could not fail.
 */
interface Restriction {
  about: string;
  /** Shell; prints exactly `held` when the restriction holds. */
  ask: string;
  /** What the configuration says instead; 0 is without limit. */
  without: Variant;
}

interface Variant {
  host?: Docker.HostConfig;
  user?: string;
  mountsWritable?: true;
}

const heldUnless = (command: string) => `if ${command} 2>/dev/null; then echo broken; else echo held; fi`;
const heldIf = (condition: string) => `if ${condition} 2>/dev/null; then echo held; else echo broken; fi`;
const status = (field: string) => `"$(grep '^${field}:' /proc/self/status | tr -d '[:space:]')"`;

const restrictions: Restriction[] = [
  {
    about: "capabilities",
    ask: heldIf(`[ ${status("CapBnd")} = CapBnd:0000000000000000 ]`),
    without: { host: { CapDrop: [] } },
  },
  {
    about: "gaining privileges by a program that is set-uid",
    ask: heldIf(`[ ${status("NoNewPrivs")} = NoNewPrivs:1 ]`),
    without: { host: { SecurityOpt: [] } },
  },
  {
    about: "system calls",
    ask: heldIf(`[ ${status("Seccomp")} = Seccomp:2 ]`),
    without: { host: { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] } },
  },
  {
    about: "being root",
    ask: heldIf('[ "$(id -u)" = 1000 ]'),
    without: { user: "0:0" },
  },
  {
    about: "the root file system",
    ask: heldUnless("touch /var/tmp/made"),
    without: { host: { ReadonlyRootfs: false } },
  },
  {
    about: "the shared library",
    ask: heldUnless("touch /workspace/common/made"),
    without: { mountsWritable: true },
  },
  {
    about: "the size of temporary folders",
    ask: heldUnless("head -c 80M /dev/zero > /tmp/big"),
    without: { host: { Tmpfs: { "/tmp": "rw,size=96m,mode=1777" } } },
  },
  {
    about: "programs that change their user in temporary folders",
    ask: heldIf("grep -q ' /tmp tmpfs .*nosuid' /proc/mounts"),
    without: { host: { Tmpfs: { "/tmp": "rw,suid,dev,exec,size=64m,mode=1777" } } },
  },
  {
    about: "memory",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -1)" = 134217728 ]',
    ),
    without: { host: { Memory: 0, MemorySwap: 0 } },
  },
  {
    about: "the number of processes",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -1)" = 64 ]',
    ),
    without: { host: { PidsLimit: 0 } },
  },
  {
    about: "processor time",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null | head -1 | cut -d" " -f1)" = 50000 ]',
    ),
    without: { host: { NanoCpus: 0 } },
  },
  {
    about: "core files",
    ask: heldIf('[ "$(ulimit -c)" = 0 ]'),
    without: { host: { Ulimits: [{ Name: "core", Soft: 1024, Hard: 1024 }] } },
  },
  {
    about: "the processes of the machine",
    ask: heldIf('[ "$(ls /proc | grep -c "^[0-9]")" -lt 10 ]'),
    without: { host: { PidMode: "host" } },
  },
  {
    about: "the machine's network",
    ask: heldIf('[ "$(ls /sys/class/net | wc -l)" -le 2 ]'),
    without: { host: { NetworkMode: "host" } },
  },
  {
    about: "devices",
    ask: heldUnless("[ -e /dev/loop-control ] || [ -e /dev/fuse ] || [ -e /dev/mem ]"),
    without: { host: { Privileged: true } },
  },
  {
    about: "the socket of the engine",
    ask: heldUnless("[ -S /workspace/engine.sock ]"),
    without: { host: { Binds: ["/var/run/docker.sock:/workspace/engine.sock"] } },
  },
];

const available = await dockerForTests();

if (!available) test.skip("restrictions that can be taken away (there is no Docker here)");
else {
  const installation = await available.installation();
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });

  describe("with our configuration it holds, and without it the same question tells", () => {
    let engine: Engine;
    let imageId: string;
    let network: string;
    let common: string;
    let count = 0;

    beforeAll(async () => {
      engine = installation.open();
      imageId = await installation.image(engine);
      network = await engine.networks.ensure("user1");
      common = join(installation.folder, "common");
      await mkdir(common);
      await chmod(common, 0o777); // as in a snapshot: only the mount is in the way
      await writeFile(join(common, "given"), "given");
    });
    afterAll(() => installation.tearDown());

    async function answerTo(ask: string, variant: Variant, inNetwork = network): Promise<string> {
      count += 1;
      const folder = join(installation.folder, `layer-${count}`);
      await mkdir(folder, { mode: 0o777 });
      const spec: ContainerSpec = {
        name: `isolation-${count}`,
        imageId,
        labels: {
          user: "user1",
          twin: "tank",
          operation: "execute",
          run: `isolation-${count}`,
          key: "key",
          source: "source",
          revision: "a".repeat(40),
          attempt: "1",
        },
        command: ["sh", "-c", ask],
        workingDir: "/workspace",
        environment: {},
        resources: { cpus: 0.5, memoryBytes: 128 * 1024 * 1024, pids: 64 },
        network: inNetwork,
        layer: { id: `layer-${count}` },
        commonFolder: common,
        graceMs: 1_000,
      };
      const options = containerConfig(spec, { installation: installation.id, layerMount: { folder } });
      const { Mounts = [], ...host } = options.HostConfig ?? {};
      options.HostConfig = {
        ...host,
        Mounts: variant.mountsWritable ? Mounts.map((mount) => ({ ...mount, ReadOnly: false })) : Mounts,
        ...variant.host,
      };
      if (variant.user !== undefined) options.User = variant.user;
      if (variant.host?.NetworkMode === "host") {
        delete options.NetworkingConfig;
        delete options.Hostname;
      }
      const container = await docker.createContainer(options);
      try {
        await container.start();
        await container.wait();
        // What is no terminal comes in frames with a header of eight bytes each.
        const log = await container.logs({ stdout: true, stderr: true, follow: false });
        return log.subarray(8).toString("utf8").trim();
      } finally {
        await container.remove({ force: true });
      }
    }

    test.each(restrictions)("$about", async ({ ask, without }) => {
      expect(await answerTo(ask, {})).toBe("held");
      expect(await answerTo(ask, without)).not.toBe("held");
    });

    test("the networks of users", async () => {
      const server = await engine.containers.create({
        name: "server",
        imageId,
        labels: {
          user: "user1",
          twin: "server",
          operation: "execute",
          run: "server",
          key: "key",
          source: "source",
          revision: "a".repeat(40),
          attempt: "1",
        },
        command: [
          "perl",
          "-e",
          "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5) or die; while (my $c = $s->accept) { close $c }",
        ],
        workingDir: "/tmp",
        environment: {},
        resources: { cpus: 0.5, memoryBytes: 128 * 1024 * 1024, pids: 64 },
        network,
        layer: await emptyLayer("server"),
        graceMs: 1_000,
      });
      await engine.containers.start(server.id);
      const { host } = (await engine.containers.endpoint(server.id, 7000)) ?? { host: "" };
      const reach = `perl -e 'use IO::Socket::INET; for (1..20) { exit 0 if IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => 7000, Timeout => 2); select undef, undef, undef, 0.2 } exit 1'`;
      const otherNetwork = await engine.networks.ensure("user2");
      // The second user's network cuts them apart; in one network with the first they meet.
      expect(await answerTo(heldUnless(reach), {}, network)).toBe("broken");
      expect(await answerTo(heldUnless(reach.replace("1..20", "1..2")), {}, otherNetwork)).toBe("held");
    });

    async function emptyLayer(id: string) {
      const lower = join(installation.folder, "snapshots", id);
      await mkdir(lower, { recursive: true });
      return await engine.layers.ensure(id, lower);
    }
  });
}
