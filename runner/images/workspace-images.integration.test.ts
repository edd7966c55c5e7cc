import { createReadStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import Docker from "dockerode";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dockerForTests } from "#test/docker-for-tests";
import { twinContainers } from "#test/twin-containers";
import type { Images } from "../engine/engine.ts";
import { createImageBuilder } from "./build-image.ts";
import { type AptSource, machineApt } from "./machine-apt.ts";
import { pythonIndex } from "./python-index.ts";
import type { MachineRegistries } from "./registry-relay.ts";
import { machineUpstream } from "./upstream-request.ts";

const available = await dockerForTests();
const minutes = 60_000;

if (!available) test.skip("workspace images (there is no Docker here)");
else {
  const installation = await available.installation();
  const twins = twinContainers(installation);
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });
  afterAll(() => installation.tearDown());

  const leftOnBuildNetwork = async () => {
    const network = [`dtaas-${installation.id}-builds`];
    return docker.listContainers({ all: true, filters: JSON.stringify({ network }) });
  };
  const recipe = (run: string) => ({
    hash: "c0ffee0123456789",
    dockerfile: `FROM ${installation.baseId}\nRUN ${run}\n`,
    files: {},
  });

  test("a build that is cancelled ends, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const slow = recipe("echo up $((1+1)) running; sleep 600");
    const build = twins.engine.images.build(slow, (line) => lines.push(line), stop.signal);
    build.catch(() => {});
    await vi.waitFor(() => expect(lines).toContain("up 2 running"), 30_000);
    expect(await leftOnBuildNetwork()).toHaveLength(1);
    stop.abort(new Error("cancelled"));
    await expect(build).rejects.toThrow("cancelled");
    await vi.waitFor(async () => expect(await leftOnBuildNetwork()).toEqual([]), 30_000);
  });

  test("a build that fails leaves no container, and shows its last words", async () => {
    const build = twins.engine.images.build(
      recipe("echo oh dear; exit 7"),
      () => {},
      AbortSignal.timeout(minutes),
    );
    await expect(build).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("oh dear"),
    });
    expect(await leftOnBuildNetwork()).toEqual([]);
  });

  test("a build reaches this machine in its network, no twin and nothing beyond", async () => {
    const server = http.createServer((_, response) => response.end("hello"));
    const ours = await twins.engine.images.buildHost();
    await new Promise<void>((resolve) => server.listen(0, ours, resolve));
    const { port } = server.address() as AddressInfo;
    const listen = `my $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 5) or die; $| = 1; print "up\\n"; 1 while $s->accept`;
    const twin = await twins.start(["perl", "-MIO::Socket::INET", "-e", listen]);
    await twins.printed(twin, "up");
    const { host: theirs } = (await twins.engine.containers.endpoint(twin, port)) ?? { host: "" };
    const ask = (host: string) =>
      `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(PeerAddr => "${host}:${port}", Timeout => 3) ? "${host} reached\\n" : "${host} out of reach\\n"'`;
    expect((await twins.run(ask(theirs), { twin: "pump" })).lines).toEqual([`${theirs} reached`]);
    const lines: string[] = [];
    const run = [ours, theirs, "192.0.2.77"].map(ask).join("; ");
    await twins.engine.images.build(recipe(run), (line) => lines.push(line), AbortSignal.timeout(minutes));
    server.close();
    await twins.engine.containers.remove(twin);
    const said = lines.filter((line) => /^\S+ (reached|out of reach)$/.test(line));
    expect(said).toEqual([`${ours} reached`, `${theirs} out of reach`, "192.0.2.77 out of reach"]);
  });

  describe("with registries of the machine that nobody may learn of", () => {
    const mirrorPassword = "mirror-pass-4711";
    const indexPassword = "index-pass-4712";
    const machine = machineApt(process.env);
    let server: http.Server;
    let port = 0;
    let real: AptSource[] = [];
    let wheel: Buffer;
    const builds = { count: 0, proxies: [] as string[] };

    const counted: Images = {
      ...twins.engine.images,
      async build(given, onLine, signal, proxyUrl) {
        builds.count += 1;
        if (proxyUrl !== undefined) builds.proxies.push(proxyUrl);
        return twins.engine.images.build(given, onLine, signal, proxyUrl);
      },
    };
    const builderWith = (python: string[]) =>
      createImageBuilder({
        images: counted,
        data: { builds: `${installation.folder}/builds` },
        registries: async (): Promise<MachineRegistries> => {
          const pip = { extraIndexUrls: [], findLinks: [], noIndex: true, trustedHosts: [] };
          const [indexUrl] = python;
          const settings = indexUrl === undefined ? pip : { ...pip, noIndex: false, indexUrl };
          const upstream = machineUpstream(settings, {});
          return {
            apt: {
              ...machine,
              sources: async () =>
                real.map((source, number) => ({
                  ...source,
                  uri: `http://anna:${mirrorPassword}@127.0.0.1:${port}/very-private-mirror/${number}/`,
                })),
            },
            python: pythonIndex(settings, upstream),
            upstream,
            mayPassThrough: false,
          };
        },
      });

    beforeAll(async () => {
      real = await machine.sources("bookworm");
      server = http.createServer((request, response) => {
        void answer(request, response).catch(() => response.writeHead(502).end());
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      port = (server.address() as AddressInfo).port;
    });
    afterAll(() => server.close());

    /** The machine's private mirror and index, as the relay finds them. */
    async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
      const [user, password] = Buffer.from(request.headers.authorization?.slice(6) ?? "", "base64")
        .toString()
        .split(":");
      const path = request.url ?? "";
      const [, number, file] = /^\/very-private-mirror\/(\d+)\/(.+)$/.exec(path) ?? [];
      if (number !== undefined && user === "anna" && password === mirrorPassword) {
        const found = await machine.fetch(
          `${real[Number(number)]?.uri}${file}`,
          AbortSignal.timeout(minutes),
        );
        if (found === "missing") return void response.writeHead(404).end();
        await pipeline(createReadStream(found.path), response);
        return rm(found.folder, { recursive: true });
      }
      if (user !== "bert" || password !== indexPassword) return void response.writeHead(401).end();
      const name = "dtaas_sample-1.0-py3-none-any.whl";
      if (path === "/very-private-index/simple/dtaas-sample/") {
        response.end(`<a href="http://127.0.0.1:${port}/very-private-index/files/${name}">${name}</a>`);
      } else if (path === `/very-private-index/files/${name}`) response.end(wheel);
      else response.writeHead(404).end();
    }

    test("a workspace gets packages of apt and pip through them, and keeps no trace", {
      timeout: 8 * minutes,
    }, async () => {
      const plain = { template: "python", packages: { apt: [], pip: [] } };
      const signal = AbortSignal.timeout(8 * minutes);
      const first = await builderWith([]).ensure(plain, signal);
      wheel = await makeWheel(first.id);

      const index = `http://bert:${indexPassword}@127.0.0.1:${port}/very-private-index/simple`;
      const builder = builderWith([index]);
      const workspace = { template: "python", packages: { apt: ["bc"], pip: ["dtaas-sample==1.0"] } };
      builds.count = 0;
      const [image, again] = await Promise.all([
        builder.ensure(workspace, signal),
        builder.ensure(workspace, signal),
      ]);
      expect(again).toEqual(image);
      expect(builds.count).toBe(1);

      const script =
        "python3 -c 'import dtaas_sample; print(dtaas_sample.hello())'; echo 6*7 | bc; python --version; id -un";
      const { lines, container } = await twins.run(script, { imageId: image.id });
      expect(lines).toEqual(["hello from a wheel", "42", expect.stringMatching(/^Python 3/), "dtaas"]);
      expect(container.exitCode).toBe(0);

      const passwords = builds.proxies.flatMap((proxy) => [new URL(proxy).password, new URL(proxy).host]);
      const secrets = ["very-private", mirrorPassword, indexPassword, `127.0.0.1:${port}`, ...passwords];
      const encoded = [`anna:${mirrorPassword}`, `bert:${indexPassword}`].map((pair) =>
        Buffer.from(pair).toString("base64"),
      );
      const hosts = [...new Set(real.map((source) => new URL(source.uri).host))].filter(Boolean);
      const needles = [...secrets, ...encoded, ...hosts];
      const found = await grepImage(image.id, [...needles, "hello from a wheel"]);
      expect(found.everywhere).toContain("hello from a wheel");
      expect([...secrets, ...encoded].filter((needle) => found.everywhere.has(needle))).toEqual([]);
      // The public names of Debian's own servers stand in the documentation of the base image.
      expect(hosts.filter((host) => found.aboveBase.has(host))).toEqual([]);

      const log = await readFile(`${installation.folder}/builds/${image.hash}.ndjson`, "utf8");
      expect(log).toContain("apt.dtaas.internal");
      expect(needles.filter((needle) => log.includes(needle))).toEqual([]);
    });

    test("a package that does not exist is named in the failure", { timeout: 4 * minutes }, async () => {
      const workspace = { template: "base", packages: { apt: ["no-such-package-here"], pip: [] } };
      const build = builderWith([]).ensure(workspace, AbortSignal.timeout(4 * minutes));
      await expect(build).rejects.toMatchObject({
        code: "BUILD_FAILED",
        message: expect.stringContaining("no-such-package-here"),
      });
    });

    /** Built inside a workspace, so that the machine needs no Python. */
    async function makeWheel(imageId: string): Promise<Buffer> {
      const name = "dtaas_sample-1.0.dist-info";
      const script = `
import zipfile
with zipfile.ZipFile("made.whl", "w") as wheel:
    wheel.writestr("dtaas_sample.py", "def hello():\\n    return 'hello from a wheel'\\n")
    wheel.writestr("${name}/METADATA", "Metadata-Version: 2.1\\nName: dtaas-sample\\nVersion: 1.0\\n")
    wheel.writestr("${name}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("${name}/RECORD", "dtaas_sample.py,,\\n${name}/METADATA,,\\n${name}/WHEEL,,\\n${name}/RECORD,,\\n")
`;
      const id = await twins.start(["python3", "-c", script], { imageId });
      expect((await twins.ended(id)).exitCode).toBe(0);
      const archive = await twins.engine.containers.read(id, "/workspace/made.whl");
      if (!archive) throw new Error("no wheel was made");
      const chunks: Buffer[] = [];
      for await (const entry of archive.pipe(extract()))
        for await (const chunk of entry) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }
  });

  /** Which of the words stand anywhere in the saved image or its history, and which in the layers above its base. */
  async function grepImage(id: string, words: string[]) {
    const hits = new Map<string, Set<string>>();
    const texts = new Map<string, string>();
    const keep = Math.max(...words.map((word) => word.length));
    const saved = await docker.getImage(id).get();
    for await (const entry of saved.pipe(extract())) {
      const { name } = entry.header;
      const found = new Set<string>();
      hits.set(name, found);
      let rest = Buffer.alloc(0);
      for await (const chunk of entry) {
        const text = Buffer.concat([rest, chunk as Buffer]);
        for (const word of words) if (!found.has(word) && text.includes(word)) found.add(word);
        rest = text.subarray(-keep);
        if (name.endsWith(".json") || name === "manifest.json")
          texts.set(name, (texts.get(name) ?? "") + String(chunk));
      }
    }
    const [manifest] = JSON.parse(texts.get("manifest.json") ?? "[]") as { Layers: string[] }[];
    const base = (await docker.getImage(installation.baseId).inspect()).RootFS.Layers?.length ?? 0;
    const below = new Set(manifest?.Layers.slice(0, base));
    expect(manifest?.Layers.length).toBeGreaterThan(base);
    const history = JSON.stringify([
      await docker.getImage(id).history(),
      await docker.getImage(id).inspect(),
    ]);
    const inHistory = words.filter((word) => history.includes(word));
    const all = [...hits].flatMap(([name, found]) => [...found].map((word) => ({ name, word })));
    return {
      everywhere: new Set([...all.map(({ word }) => word), ...inHistory]),
      aboveBase: new Set([
        ...all.filter(({ name }) => !below.has(name)).map(({ word }) => word),
        ...inHistory,
      ]),
    };
  }
}
