import { spawn } from "node:child_process";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder, snapshotPath } from "#core/data-folder";
import { startRedis } from "#embedded/redis/start-redis";
import { containerConfig } from "#runner/engine/docker/container-config";
import type { ContainerSpec, Engine, ReadOnlyMount } from "#runner/engine/engine";
import { pinnedMounts } from "#runner/mounts/view-mounts";
import { Views } from "#runner/mounts/views";
import { dockerForTests } from "#test/docker-for-tests";
import { heldUnless, restrictions, type Variant } from "./restrictions.ts";
import { commit, hers, reads, shared, walls } from "./walls.ts";

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

    async function answerTo(
      ask: string,
      variant: Variant,
      inNetwork = network,
      mounts: readonly ReadOnlyMount[] = [{ source: common, target: "/workspace/common" }],
    ): Promise<string> {
      count += 1;
      const folder = join(installation.folder, `layer-${count}`);
      await mkdir(folder);
      await chmod(folder, 0o777);
      await symlink(hers, join(folder, "linked")); // as if the checkout had let it pass
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
        mounts,
        graceMs: 1_000,
      };
      const options = containerConfig(spec, { installation: installation.id, layerMount: { folder } });
      const { Mounts = [], ...host } = options.HostConfig ?? {};
      options.HostConfig = {
        ...host,
        Mounts: [
          ...(variant.mountsWritable
            ? Mounts.map((mount) => ({ ...mount, ReadOnly: false }))
            : Mounts
          ).filter(
            ({ Target }) =>
              !Object.values(variant.shown ?? {}).some((shown) => `${Target}/`.startsWith(`${shown}/`)),
          ),
          ...Object.entries(variant.shown ?? {}).map(([source, Target]) => ({
            ...{ Type: "bind" as const, Source: join(installation.folder, source), Target, ReadOnly: true },
          })),
        ],
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

    describe("what a user's twins see of repositories", () => {
      let mounts: ReadOnlyMount[];
      const onMachine = `${installation.folder}.readable`;
      const uid = process.getuid?.() === 0 ? 1000 : process.getuid?.();
      const neighbour = spawn("sleep", ["1000"], uid === undefined ? {} : { uid });
      afterAll(async () => {
        neighbour.kill();
        await rm(onMachine, { force: true });
      });

      beforeAll(async () => {
        await writeFile(onMachine, "given");
        const data = dataFolder(installation.folder);
        const file = async (project: string, at: string, path: string) => {
          const place = join(snapshotPath(data, project, at), path);
          await mkdir(dirname(place), { recursive: true });
          await writeFile(place, "given");
          await chmod(place, 0o666); // as in a snapshot
        };
        await file("dtaas/common", commit, "models/tank/tank.py");
        await file("dtaas/common", "d".repeat(40), "models/old/old.py");
        await file("lab/closed", commit, "models/secret/model.py");
        await file("dtaas/user1", commit, "data/own.csv");
        await file("dtaas/user2", commit, "data/private.csv");
        const views = new Views(data, { hostPaths: false });
        const source = { project: "dtaas/common", commit };
        views.show("user2", views.ensure("user2", [source]));
        const view = { sources: [source], assets: [], hidden: [], problems: [] };
        mounts = await pinnedMounts(
          { data, views, placesFolders: true },
          { view },
          {
            user: "user1",
            own: { project: "dtaas/user1", commit },
            shared: [source],
            container: "isolation",
          },
        );
      });

      test("what may be read is there", async () => {
        for (const path of [
          shared,
          "/workspace/common/models/tank/tank.py",
          "/views/current/models/tank/tank.py",
        ]) {
          expect(await answerTo(reads(path), {}, network, mounts)).toBe("broken");
        }
      });

      test.each(walls(onMachine))("$about", async ({ ask, without }) => {
        expect(await answerTo(ask, {}, network, mounts)).toBe("held");
        expect(await answerTo(ask, without, network, mounts)).not.toBe("held");
      });
    });

    test("the platform's Redis, which listens on the machine alone", async () => {
      const redis = await startRedis({ folder: join(installation.folder, "redis") });
      const { hostname, port } = new URL(redis.url);
      const gateway = `$(ip route 2>/dev/null | sed -n 's/default via \\([^ ]*\\).*/\\1/p')`;
      // Whoever listens there answers as Redis does: it wants the password.
      const reach = `perl -e 'use IO::Socket::INET; for (@ARGV) { my $s = IO::Socket::INET->new(PeerAddr => $_, PeerPort => ${port}, Timeout => 2) or next; print $s "PING\\r\\n"; exit 0 if <$s> =~ /^-NOAUTH/ } exit 1' ${hostname} ${gateway} $(hostname -I | sed 's/[0-9]* *$/1/')`;
      try {
        expect(await answerTo(heldUnless(reach), {})).toBe("held");
        expect(await answerTo(heldUnless(reach), { host: { NetworkMode: "host" } })).toBe("broken");
      } finally {
        await redis.stop();
      }
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
