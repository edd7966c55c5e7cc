import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extract } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { LogLine } from "#schemas/run";
import type { Container, ContainerSpec, Engine, EngineEvent, ImageRecipe } from "./engine.ts";

/** What the contract needs to be told about an engine. Commands differ: a fake one runs nothing. */
export interface EngineUnderTest {
  /** Another engine over the same containers, as after a restart of the runner. */
  open(): Engine;
  /** An image the commands work in. */
  imageId(engine: Engine): Promise<string>;
  /** Where the snapshot of layers lies; somewhere below it when the engine has an opinion. */
  folder: string;
  commands: {
    forever: string[];
    ignoresStop: string[];
    exits(code: number): string[];
    /** Prints `one` and `three` on standard output, `two` on standard error, then ends. */
    printsThree: string[];
    /** Prints `one`, and goes on for ever. */
    printsOneForever: string[];
    /** Writes this file below /workspace, then ends. */
    writes(path: string, content: string): string[];
    /** Prints this file, a path below /workspace, then ends. */
    prints(path: string): string[];
    succeeds: string[];
    fails: string[];
    takesForever: string[];
  };
  /** What somebody else does to a container behind our back. */
  stranger: {
    kill(id: string): Promise<void>;
    remove(id: string): Promise<void>;
    change(id: string): Promise<void>;
  };
  /** What an engine cannot do, and why: these parts of the contract are left out, and it is printed. */
  lacks?: { images?: string; changes?: string; ports?: string; previews?: string };
  recipes: { good(hash: string): Promise<ImageRecipe>; bad(hash: string): Promise<ImageRecipe> };
  tearDown(): Promise<void>;
}

const within = { timeout: 20_000, interval: 50 };

/** One suite for every engine: what the runner relies on. */
export function engineContract(name: string, setUp: () => Promise<EngineUnderTest>): void {
  describe(`an engine (${name})`, () => {
    let under: EngineUnderTest;
    let engine: Engine;
    let lower: string;
    let imageId: string;
    let count = 0;

    beforeAll(async () => {
      under = await setUp();
      engine = under.open();
      imageId = await under.imageId(engine);
      lower = join(await mkdtemp(join(under.folder, "snapshot-")), "dtaas+user1");
      await mkdir(join(lower, "data"), { recursive: true });
      await writeFile(join(lower, "data/given.txt"), "given");
      await chmod(join(lower, "data"), 0o777); // modes of a snapshot let the workspace's user write
      await chmod(join(lower, "data/given.txt"), 0o666);
    });

    afterEach(async () => {
      for (const container of await engine.containers.list()) await engine.containers.remove(container.id);
      for (const id of await engine.layers.list()) await engine.layers.remove(id);
    });

    afterAll(async () => {
      await engine?.close();
      await under?.tearDown();
    });

    async function specFor(command: string[], more: Partial<ContainerSpec> = {}): Promise<ContainerSpec> {
      count += 1;
      const labels = {
        user: "user1",
        twin: "tank",
        operation: "execute",
        run: `run-${count}`,
        key: "key1",
        source: "source1",
        revision: "a".repeat(40),
        attempt: "1",
      };
      return {
        name: `run-${count}`,
        imageId,
        labels,
        command,
        workingDir: "/workspace",
        environment: { WHO: "user1" },
        resources: { cpus: 1, memoryBytes: 128 * 1024 * 1024, pids: 64 },
        network: await engine.networks.ensure("user1"),
        layer: await engine.layers.ensure(`layer-${count}`, lower),
        graceMs: 1_000,
        ...more,
      };
    }

    async function started(command: string[], more: Partial<ContainerSpec> = {}): Promise<string> {
      const { id } = await engine.containers.create(await specFor(command, more));
      await engine.containers.start(id);
      return id;
    }

    const without = (part: keyof NonNullable<EngineUnderTest["lacks"]>): boolean => {
      const reason = under.lacks?.[part];
      if (reason !== undefined) console.warn(`${name} is not asked for ${part}: ${reason}`);
      return reason !== undefined;
    };

    const look = async (id: string): Promise<Container | undefined> =>
      (await engine.containers.list()).find((container) => container.id === id);

    const ended = (id: string): Promise<Container> =>
      vi.waitFor(async () => {
        const container = await look(id);
        if (container?.state !== "exited") throw new Error(`is ${container?.state}`);
        return container;
      }, within);

    const linesOf = async (
      id: string,
      options: { since?: string; follow?: boolean } = {},
    ): Promise<LogLine[]> => {
      const signal = new AbortController().signal;
      const lines: LogLine[] = [];
      for await (const line of engine.containers.logs(id, { follow: false, signal, ...options }))
        lines.push(line);
      return lines;
    };

    test("says that it is there", async () => {
      expect((await engine.ping()).version).not.toBe("");
    });

    test("makes one container however often it is asked for the same name", async () => {
      const spec = await specFor(under.commands.forever);
      const [first, second] = await Promise.all([
        engine.containers.create(spec),
        engine.containers.create(spec),
      ]);
      expect(second?.id).toBe(first?.id);
      expect((await engine.containers.create(spec)).id).toBe(first?.id);
      expect(await engine.containers.list()).toMatchObject([
        { id: first?.id, name: spec.name, state: "created", labels: spec.labels, imageId, changed: false },
      ]);
    });

    test("does not give away a name that belongs to another run", async () => {
      const spec = await specFor(under.commands.forever);
      await engine.containers.create(spec);
      const other = { ...spec, labels: { ...spec.labels, run: "another" } };
      await expect(engine.containers.create(other)).rejects.toMatchObject({ code: "NAME_TAKEN" });
    });

    test("does not make a container on a layer that is not there", async () => {
      const spec = await specFor(under.commands.forever, { layer: { id: "nowhere" } });
      await expect(engine.containers.create(spec)).rejects.toMatchObject({ code: "LAYER_MISSING" });
    });

    test("starts a container once", async () => {
      const id = await started(under.commands.forever);
      const before = await look(id);
      await engine.containers.start(id);
      expect(before).toMatchObject({ state: "running", changed: false });
      expect((await look(id))?.startedAt).toBe(before?.startedAt);
      expect(Date.parse(before?.startedAt ?? "")).not.toBeNaN();
    });

    test("tells how a container ended", async () => {
      const container = await ended(await started(under.commands.exits(3)));
      expect(container).toMatchObject({ exitCode: 3, outOfMemory: false, changed: false });
      // Engines take the two times at different places: a short command may seem to end a moment before it began.
      const slackMs = 1_000;
      expect(Date.parse(container.finishedAt ?? "") + slackMs).toBeGreaterThan(
        Date.parse(container.startedAt ?? ""),
      );
    });

    test("stops politely, and by force what does not listen", async () => {
      const polite = await started(under.commands.forever);
      const deaf = await started(under.commands.ignoresStop);
      await vi.waitFor(async () => expect(await linesOf(deaf)).toMatchObject([{ text: "deaf" }]), within);
      await Promise.all([engine.containers.stop(polite, 15_000), engine.containers.stop(deaf, 200)]);
      expect(await look(polite)).toMatchObject({ state: "exited", exitCode: 143 });
      expect(await look(deaf)).toMatchObject({ state: "exited", exitCode: 137 });
      await engine.containers.stop(polite, 100);
    });

    test("removes a container that runs, and takes one that is not there for removed", async () => {
      const id = await started(under.commands.forever);
      await engine.containers.remove(id);
      expect(await engine.containers.list()).toEqual([]);
      await engine.containers.remove(id);
      await engine.containers.stop(id, 100);
      await engine.containers.start(id);
      expect(await engine.containers.list()).toEqual([]);
    });

    test("lists one user's containers", async () => {
      const mine = await specFor(under.commands.forever);
      const hers = await specFor(under.commands.forever);
      hers.labels.user = "user2";
      await engine.containers.create(mine);
      await engine.containers.create(hers);
      expect((await engine.containers.list("user2")).map((container) => container.name)).toEqual([hers.name]);
      expect(await engine.containers.list()).toHaveLength(2);
      expect(await engine.containers.list("user3")).toEqual([]);
    });

    test("keeps containers of previews out of the list of all others, and in networks of their own", async (context) => {
      if (without("previews")) return context.skip();
      const { previews } = engine;
      if (!previews) throw new Error("an engine says why it has no previews");
      const scope = { user: "user.1", id: "7-12", twin: "tank" };
      const spec = await specFor(under.commands.forever);
      const network = await previews.ensureNetwork(scope);
      expect(await previews.ensureNetwork(scope)).toBe(network);
      expect(network).not.toBe(spec.network);
      const { id } = await engine.containers.create({
        ...spec,
        network,
        labels: { ...spec.labels, preview: scope.id },
      });
      await engine.containers.start(id);
      expect(await engine.containers.list()).toEqual([]);
      expect(await engine.containers.list("user1")).toEqual([]);
      expect(await previews.list()).toMatchObject([{ id, state: "running", labels: { preview: "7-12" } }]);
      expect(await previews.listNetworks()).toEqual([scope]);
      expect(await engine.networks.list()).toEqual(["user1"]);

      await previews.removeNetwork(scope); // it has a container in it
      expect(await previews.listNetworks()).toEqual([scope]);
      await engine.containers.remove(id);
      await previews.removeNetwork(scope);
      await previews.removeNetwork(scope);
      expect([await previews.list(), await previews.listNetworks()]).toEqual([[], []]);
    });

    test("goes on with what is there after a restart", async () => {
      const id = await started(under.commands.forever);
      const again = under.open();
      expect((await again.containers.list()).map((container) => container.id)).toEqual([id]);
      await again.containers.remove(id);
      await again.close();
    });

    test("tells what happens to containers, whoever does it", async () => {
      const seen: EngineEvent[] = [];
      const stop = new AbortController();
      const events = engine.containers.events(stop.signal);
      const listening = (async () => {
        for await (const event of events) seen.push(event);
      })();
      const id = await started(under.commands.forever);
      const kinds = () => seen.filter((event) => event.container?.id === id).map((event) => event.kind);
      await vi.waitFor(() => expect(kinds()).toContain("started"), within);
      if (!without("changes")) {
        await under.stranger.change(id);
        await vi.waitFor(() => expect(kinds()).toContain("changed"), within);
        expect(await look(id)).toMatchObject({ state: "running", changed: true });
      }
      await under.stranger.kill(id);
      await vi.waitFor(() => expect(kinds()).toContain("exited"), within);
      expect(await look(id)).toMatchObject({ state: "exited", exitCode: 137 });
      await under.stranger.remove(id);
      await vi.waitFor(() => expect(kinds().at(-1)).toBe("removed"), within);
      expect(seen.find((event) => event.kind === "exited")?.container?.labels).toMatchObject({
        user: "user1",
      });
      stop.abort();
      await listening;
    });

    test("events end when the engine is closed", async () => {
      const other = under.open();
      const events = other.containers.events(new AbortController().signal);
      const all = (async () => {
        for await (const _ of events);
      })();
      await other.close();
      await all;
    });

    test("gives the lines of both streams, and those after a given one", async () => {
      const id = await started(under.commands.printsThree);
      await ended(id);
      const lines = await linesOf(id);
      expect(lines.filter((line) => line.stream === "out").map((line) => line.text)).toEqual([
        "one",
        "three",
      ]);
      expect(lines.filter((line) => line.stream === "err").map((line) => line.text)).toEqual(["two"]);
      for (const [index, line] of lines.entries()) {
        expect(line.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
        expect(await linesOf(id, { since: line.at })).toEqual(lines.slice(index + 1));
      }
    });

    test("follows a log until the container ends", async () => {
      const id = await started(under.commands.printsThree);
      expect(await linesOf(id, { follow: true })).toHaveLength(3);
    });

    test("stops following when it is told to", async () => {
      const id = await started(under.commands.printsOneForever);
      const stop = new AbortController();
      const lines: string[] = [];
      for await (const line of engine.containers.logs(id, { follow: true, signal: stop.signal })) {
        lines.push(line.text);
        stop.abort();
      }
      expect(lines).toEqual(["one"]);
    });

    test("has no lines of a container that is not there or never started", async () => {
      const { id } = await engine.containers.create(await specFor(under.commands.forever));
      expect(await linesOf(id, { follow: true })).toEqual([]);
      expect(await linesOf("0".repeat(64))).toEqual([]);
    });

    test("hands out files of an ended container", async () => {
      const id = await started(under.commands.writes("out/result.csv", "1,2\n"));
      await ended(id);
      expect(await filesOf(await engine.containers.read(id, "/workspace/out"))).toEqual({
        "out/result.csv": "1,2\n",
      });
      expect(await filesOf(await engine.containers.read(id, "/workspace/out/result.csv"))).toEqual({
        "result.csv": "1,2\n",
      });
      expect(await filesOf(await engine.containers.read(id, "/workspace/data"))).toEqual({
        "data/given.txt": "given",
      });
      expect(await engine.containers.read(id, "/workspace/nothing")).toBeUndefined();
      expect(await engine.containers.read("0".repeat(64), "/workspace")).toBeUndefined();
    });

    test("runs a command inside a container", async () => {
      const id = await started(under.commands.forever);
      expect(await engine.containers.exec(id, under.commands.succeeds, 10_000)).toBe(0);
      expect(await engine.containers.exec(id, under.commands.fails, 10_000)).toBe(1);
      expect(await engine.containers.exec(id, under.commands.takesForever, 300)).toBe(124);
      await engine.containers.stop(id, 5_000);
      expect(await engine.containers.exec(id, under.commands.succeeds, 10_000)).toBe(125);
      expect(await engine.containers.exec("0".repeat(64), under.commands.succeeds, 10_000)).toBe(125);
    });

    test("tells where a port of a running container is reached", async () => {
      const id = await started(under.commands.forever);
      expect(await engine.containers.endpoint(id, 8000)).toMatchObject({
        host: expect.any(String),
        port: without("ports") ? expect.any(Number) : 8000,
      });
      await engine.containers.stop(id, 5_000);
      expect(await engine.containers.endpoint(id, 8000)).toBeUndefined();
    });

    test("has one network per user", async () => {
      const [first, again, other] = await Promise.all(
        ["anna", "anna", "bert"].map((user) => engine.networks.ensure(user)),
      );
      expect(again).toBe(first);
      expect(other).not.toBe(first);
      expect(await engine.networks.list()).toEqual(expect.arrayContaining(["anna", "bert"]));
      await engine.networks.remove("anna");
      await engine.networks.remove("anna");
      expect(await engine.networks.list()).not.toContain("anna");
      await engine.networks.remove("bert");
    });

    test("keeps a network that has containers in it", async () => {
      await started(under.commands.forever);
      await engine.networks.remove("user1");
      expect(await engine.networks.list()).toContain("user1");
    });

    test("shares a layer between the operations of a twin, and gives it back as it was", async () => {
      const layer = await engine.layers.ensure("shared", lower);
      expect(await engine.layers.ensure("shared", lower)).toEqual(layer);
      const first = await started(under.commands.writes("data/made.txt", "made"), { layer });
      await ended(first);
      const second = await started(under.commands.exits(0), { layer });
      await ended(second);
      const both = { "data/given.txt": "given", "data/made.txt": "made" };
      expect(await filesOf(await engine.containers.read(second, "/workspace/data"))).toEqual(both);

      await expect(engine.layers.remove("shared")).rejects.toMatchObject({ name: "TryLaterError" });
      await engine.containers.remove(first);
      await engine.containers.remove(second);
      await engine.layers.remove("shared");
      await engine.layers.remove("shared");
      expect(await engine.layers.list()).not.toContain("shared");
      await engine.layers.ensure("shared", lower);
      const third = await started(under.commands.exits(0), { layer });
      expect(await filesOf(await engine.containers.read(third, "/workspace/data"))).toEqual({
        "data/given.txt": "given",
      });
    });

    test("tells what a layer takes on disk", async () => {
      const layer = await engine.layers.ensure("measured", lower);
      const before = await engine.layers.usage("measured");
      await ended(await started(under.commands.writes("data/large.txt", "x".repeat(50_000)), { layer }));
      const written = (await engine.layers.usage("measured")) - before;
      expect(written).toBeGreaterThanOrEqual(50_000);
      expect(written).toBeLessThan(200_000);
      expect(await engine.layers.usage("nowhere")).toBe(0);
    });

    test("shows folders of the machine where they are wanted, in place of what the layer has there", async () => {
      const shared = await mkdtemp(join(under.folder, "shared-"));
      await chmod(shared, 0o755);
      await writeFile(join(shared, "given.txt"), "shared");
      const layer = await engine.layers.ensure("mounted", lower);
      const shows = async (path: string, target: string) => {
        const mounts = [{ source: shared, target }];
        const id = await started(under.commands.prints(path), { layer, mounts });
        expect(await ended(id)).toMatchObject({ exitCode: 0 });
        return (await linesOf(id)).map((line) => line.text);
      };
      expect(await shows("common/given.txt", "/workspace/common")).toEqual(["shared"]);
      expect(await shows("data/given.txt", "/workspace/data")).toEqual(["shared"]);
    });

    test("builds an image, finds it by its hash, and forgets it", async (context) => {
      if (without("images")) context.skip();
      const hash = `ab12${Date.now().toString(16)}`;
      expect(await engine.images.find(hash)).toBeUndefined();
      const lines: string[] = [];
      const signal = new AbortController().signal;
      const id = await engine.images.build(
        await under.recipes.good(hash),
        (line) => lines.push(line),
        signal,
      );
      expect(await engine.images.find(hash)).toBe(id);
      expect(lines.join("\n")).toContain("building");
      expect(await engine.images.list()).toEqual(
        expect.arrayContaining([expect.objectContaining({ id, hash })]),
      );
      const { id: user } = await engine.containers.create(
        await specFor(under.commands.forever, { imageId: id }),
      );
      await engine.images.remove(hash);
      expect(await engine.images.find(hash)).toBe(id);
      await engine.containers.remove(user);
      await engine.images.remove(hash);
      await engine.images.remove(hash);
      expect(await engine.images.find(hash)).toBeUndefined();
    });

    test("says why an image could not be built", async () => {
      const build = engine.images.build(
        await under.recipes.bad("bad0bad0bad0"),
        () => {},
        new AbortController().signal,
      );
      await expect(build).rejects.toMatchObject({ code: "BUILD_FAILED" });
      expect(await engine.images.find("bad0bad0bad0")).toBeUndefined();
    });
  });
}

/** The archive as names and contents. */
export async function filesOf(archive: NodeJS.ReadableStream | undefined): Promise<Record<string, string>> {
  if (!archive) throw new Error("no archive");
  const files: Record<string, string> = {};
  for await (const entry of archive.pipe(extract())) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files[entry.header.name] = Buffer.concat(chunks).toString();
  }
  return files;
}

/** A folder of one's own, and how to get rid of it. */
export async function testFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "engine-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
