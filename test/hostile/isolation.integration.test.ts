import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containerConfig } from "#runner/engine/docker/container-config";
import type { ContainerSpec, Engine } from "#runner/engine/engine";
import { dockerForTests } from "#test/docker-for-tests";
import { heldUnless, restrictions, type Variant } from "./restrictions.ts";

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
