import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, expect, test, vi } from "vitest";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { dockerForTests } from "#test/docker-for-tests";
import { twinContainers } from "#test/twin-containers";
import type { EngineEvent } from "../engine.ts";
import { createDockerEngine } from "./docker-engine.ts";
import { dockerLayers } from "./layers.ts";
import { removeByEngine } from "./remove-by-engine.ts";

// What the contract cannot say, since only a real engine has it.
const available = await dockerForTests();
const socketPath = "/var/run/docker.sock";
const logger = createLogger("test", "silent");

test("an engine that cannot be reached asks to try later", async () => {
  const engine = createDockerEngine({
    installation: "nobody",
    socketPath: "/nonexistent/docker.sock",
    dataFolder: dataFolder("/nonexistent"),
    logger,
  });
  await expect(engine.ping()).rejects.toMatchObject({ name: "TryLaterError" });
  await expect(engine.containers.list()).rejects.toMatchObject({ name: "TryLaterError" });
  await engine.close();
});

test("a data folder whose path cannot stand in mount options is refused by name", () => {
  for (const folder of ["/data,x", "/data:x", "/da ta", "relative", "/a\\b"]) {
    const make = () => createDockerEngine({ installation: "i1", dataFolder: dataFolder(folder), logger });
    expect(make).toThrow("cannot hold layers");
  }
});

if (!available) test.skip("the Docker adapter (there is no Docker here)");
else {
  const installation = await available.installation();
  const twins = twinContainers(installation);
  const docker = new Docker({ socketPath });
  afterAll(() => installation.tearDown());

  test("events go on after the connection was lost, and what happened meanwhile is not", async () => {
    const cuttable = await cuttableSocket(join(installation.folder, "engine.sock"));
    const engine = createDockerEngine({
      installation: installation.id,
      socketPath: cuttable.path,
      dataFolder: dataFolder(installation.folder),
      logger,
    });
    const stop = new AbortController();
    const seen: EngineEvent[] = [];
    const listening = (async () => {
      for await (const event of engine.containers.events(stop.signal)) seen.push(event);
    })();
    const before = await twins.start("sleep infinity");
    await vi.waitFor(() => expect(seen.map((event) => event.container?.id)).toContain(before), 10_000);
    cuttable.cut();
    await twins.engine.containers.remove(before);
    cuttable.mend();
    await vi.waitFor(() => expect(seen.map((event) => event.kind)).toContain("reconnected"), 10_000);
    await vi.waitFor(() => expect(seen.map((event) => event.kind)).toContain("removed"), 10_000);
    stop.abort();
    await listening;
    await engine.close();
    await cuttable.close();
  });

  test("a container taken out of its network is seen as changed", async () => {
    const seen: string[] = [];
    const stop = new AbortController();
    const id = await twins.start("sleep infinity");
    const listening = (async () => {
      for await (const event of twins.engine.containers.events(stop.signal)) {
        if (event.container?.id === id) seen.push(event.kind);
      }
    })();
    const look = async () => (await twins.engine.containers.list()).find((container) => container.id === id);
    expect(await look()).toMatchObject({ changed: false });
    const network = docker.getNetwork(await twins.engine.networks.ensure("user1"));
    await network.disconnect({ Container: id });
    await vi.waitFor(() => expect(seen).toContain("changed"), 10_000);
    expect(await look()).toMatchObject({ state: "running", changed: true });
    stop.abort();
    await listening;
    await twins.engine.containers.remove(id);
  });

  test("a line without an end comes in parts, and reading goes on in the middle of it", async () => {
    const script = "print 'x' x 100_000, qq{\\n}; print STDERR qq{short\\n}";
    const id = await twins.start(["perl", "-e", script]);
    await twins.ended(id);
    const read = async (since?: string) => {
      const lines = [];
      const options = { follow: false, signal: AbortSignal.timeout(10_000), ...(since ? { since } : {}) };
      for await (const line of twins.engine.containers.logs(id, options)) lines.push(line);
      return lines.filter((line) => line.stream === "out");
    };
    const all = await read();
    expect(all.map((line) => line.text).join("")).toBe("x".repeat(100_000));
    expect(Math.max(...all.map((line) => line.text.length))).toBeLessThanOrEqual(16 * 1024);
    expect(await read(all[2]?.at)).toEqual(all.slice(3));
  });

  test("a log nobody reads does not pile up in memory", async () => {
    const id = await twins.start(["perl", "-e", "print 'y' x 199, qq{\\n} for 1 .. 40_000"]);
    await twins.ended(id);
    const options = { follow: false, signal: AbortSignal.timeout(30_000) };
    const reader = twins.engine.containers.logs(id, options)[Symbol.asyncIterator]();
    await reader.next();
    const before = process.memoryUsage().arrayBuffers;
    await new Promise((resolve) => setImmediate(resolve));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 1024 * 1024);
    let count = 1;
    while (!(await reader.next()).done) count += 1;
    expect(count).toBe(40_000);
  });

  test("an image that has gone is told apart from other refusals", async () => {
    const gone = twins.start("true", { imageId: `sha256:${"0".repeat(64)}` });
    await expect(gone).rejects.toMatchObject({ code: "IMAGE_MISSING" });
  });

  test("a container whose network has gone starts later, when it is there again", async () => {
    const spec = { user: "user9", network: `dtaas-${installation.id}-user-user9` };
    await expect(twins.start("true", spec)).rejects.toMatchObject({ name: "TryLaterError" });
    const [container] = await twins.engine.containers.list("user9");
    await twins.engine.networks.ensure("user9");
    await twins.engine.containers.start(container?.id ?? "");
    expect(await twins.ended(container?.id ?? "")).toMatchObject({ exitCode: 0 });
  });

  test("networks of two installations with one pool do not overlap, and a full pool is told", async () => {
    const engines = ["one", "two"].map((name) =>
      createDockerEngine({
        installation: `${installation.id}${name}`,
        networkPool: "10.214.77.0/25",
        dataFolder: dataFolder(installation.folder),
        logger,
      }),
    );
    try {
      const made = await Promise.all(engines.map((engine) => engine.networks.ensure("anna")));
      expect(new Set(made).size).toBe(2);
      await expect(engines[0]?.networks.ensure("bert")).rejects.toMatchObject({ code: "NETWORK_POOL_EMPTY" });
      await engines[1]?.networks.remove("anna");
      await engines[0]?.networks.ensure("bert");
    } finally {
      for (const engine of engines) for (const user of ["anna", "bert"]) await engine.networks.remove(user);
    }
  });

  test("the snapshot below a layer never changes", async () => {
    const lower = join(await mkdtemp(join(installation.folder, "snapshots", "s-")), "dtaas+user1");
    await mkdir(lower);
    await writeFile(join(lower, "given"), "given");
    await chmod(lower, 0o777);
    await chmod(join(lower, "given"), 0o666);
    const layer = await twins.engine.layers.ensure("over", lower);
    const script = "echo changed >> given; mv given moved; mkdir folder; cat moved";
    const { lines } = await twins.run(script, { layer });
    expect(lines).toEqual(["givenchanged"]);
    expect(await readFile(join(lower, "given"), "utf8")).toBe("given");
    expect((await twins.run("ls", { layer })).lines).toEqual(["folder", "moved"]);
  });

  test("whatever runs beside a twin reaches the twin by its name, and the twin itself by the same name", async () => {
    const name = "lookup-pump";
    const script = "getent ahostsv4 lookup-pump | head -n 1 | cut -d ' ' -f 1; sleep infinity";
    const id = await twins.start(script, { twin: name });
    const address = (await twins.engine.containers.endpoint(id, 80))?.host ?? "";
    await twins.printed(id, address);
    const labels = {
      ...{ user: "user1", twin: name, operation: "check", run: "lookup-check", key: "key" },
      ...{ source: "source", revision: "a".repeat(40), attempt: "1" },
    };
    const { lines } = await twins.run("getent ahostsv4 lookup-pump | head -n 1 | cut -d ' ' -f 1", {
      labels,
    });
    expect(lines).toEqual([address]);
  });

  test("where overlays do not work a layer is a copy that behaves the same", async () => {
    const folder = join(installation.folder, "copies");
    const layers = dockerLayers(docker, installation.id, {
      folder,
      overlayWorks: async () => false,
      image: async () => installation.baseId,
    });
    const lower = join(await mkdtemp(join(installation.folder, "snapshots", "s-")), "dtaas+user1");
    await mkdir(join(lower, "data"), { recursive: true });
    await writeFile(join(lower, "data/run"), "#!/bin/sh\n", { mode: 0o777 });
    await layers.ensure("copied", lower);
    const mount = await layers.mountOf({ id: "copied" });
    const copy = "folder" in mount ? mount.folder : "";
    expect((await stat(join(copy, "data"))).uid).toBe(1000);
    expect((await stat(join(copy, "data/run"))).mode & 0o111).not.toBe(0);
    await writeFile(join(copy, "data/made"), "made");
    await layers.ensure("copied", lower);
    expect(await readFile(join(copy, "data/made"), "utf8")).toBe("made");
    expect(await layers.list()).toEqual(expect.arrayContaining(["copied"]));
    await layers.remove("copied");
    await layers.ensure("copied", lower);
    await expect(readFile(join(copy, "data/made"))).rejects.toMatchObject({ code: "ENOENT" });
    await layers.remove("copied");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "a runner that is not root has the engine remove what a twin wrote, and nothing beside it",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "dtaas-not-root-"));
      const nobody = 65_534;
      const { gid } = await stat(socketPath);
      await mkdir(join(folder, "going/of-the-twin"), { recursive: true });
      await writeFile(join(folder, "going/of-the-twin/file"), "made inside");
      await symlink(folder, join(folder, "going/of-the-twin/up"));
      await writeFile(join(folder, "beside"), "stays");
      await chown(folder, nobody, nobody);
      const remove = (image: () => Promise<string>) =>
        removeByEngine(docker, { installation: installation.id, folder, name: "going", image });
      try {
        process.setegid?.(gid);
        process.seteuid?.(nobody);
        await expect(rm(join(folder, "going"), { recursive: true })).rejects.toMatchObject({
          code: "EACCES",
        });
        await remove(async () => installation.baseId);
      } finally {
        process.seteuid?.(0);
        process.setegid?.(0);
      }
      expect(await readdir(folder)).toEqual(["beside"]);
      const left = await docker.listContainers({ all: true, filters: { label: ["dtaas.purpose=remove"] } });
      expect(left).toEqual([]);
      await rm(folder, { recursive: true });
    },
  );
}

/** A socket in front of the engine's that can be cut. */
async function cuttableSocket(path: string) {
  const sockets = new Set<Socket>();
  let open = true;
  const server = createServer((near) => {
    if (!open) return void near.destroy();
    const far = connect(socketPath);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    cut() {
      open = false;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      open = true;
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
