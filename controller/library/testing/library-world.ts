import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { type RunningForge, startForge } from "#embedded/forge/start-forge";
import { parsePlatform } from "#schemas/parse-platform";
import { Mirrors } from "../../assets/mirrors.ts";
import type { Forge } from "../../forge/forge.ts";
import { GitLabForge } from "../../forge/gitlab/gitlab-forge.ts";
import type { AppDeps } from "../../http/app-deps.ts";
import { createApp } from "../../http/create-app.ts";
import { controllerMetrics } from "../../metrics.ts";
import { Tracked } from "../../reconcile/tracked.ts";
import { Library } from "../library.ts";

const run = promisify(execFile);

/** A file as it is in Git. */
export interface FileInGit {
  content: Buffer;
  mode: string;
}

/**
 * The library as people meet it: the controller's HTTP side over real mirrors of a real Git host. `ada` owns
 * `dtaas/ada` and may read `dtaas/common`; `bob` owns `dtaas/bob`; `eve` is nobody.
 */
export class LibraryWorld {
  readonly forge: RunningForge;
  readonly url: string;
  readonly mirrors: Mirrors;
  readonly tracked: Tracked;
  readonly port: Forge;
  /** Names of the questions that the Git host was asked, fetches included. */
  readonly asked: string[] = [];
  /** `path head` of each project that was found to have moved on. */
  readonly moved: string[] = [];
  /** Called before a commit reaches the Git host: what somebody else does in that moment. */
  inBetween: (() => Promise<void>) | undefined;
  readonly #folder: string;
  readonly #close: () => Promise<void>;

  /** `<user> <project>`: who reads a shared repository by a group alone. */
  readonly groupReaders = new Set<string>();

  private constructor(
    parts: Pick<LibraryWorld, "forge" | "url" | "mirrors" | "tracked" | "port"> & {
      folder: string;
      asked: string[];
      moved: string[];
      close: () => Promise<void>;
    },
  ) {
    const { forge, url, mirrors, tracked, port } = parts;
    this.forge = forge;
    this.url = url;
    this.mirrors = mirrors;
    this.tracked = tracked;
    this.port = port;
    this.asked = parts.asked;
    this.moved = parts.moved;
    this.#folder = parts.folder;
    this.#close = parts.close;
  }

  static async start(): Promise<LibraryWorld> {
    const folder = await mkdtemp(join(tmpdir(), "dtaas-library-"));
    const logger = createLogger("test", "silent");
    const forge = await startForge({ dataFolder: join(folder, "forge"), logger });
    await forge.admin.seed({
      users: [
        { username: "root", name: "Administrator", admin: true },
        { username: "dtaas-bot", name: "DTaaS" },
        { username: "ada", name: "Ada", email: "ada@example.org" },
        { username: "bob", name: "Bob", email: "bob@example.org" },
        { username: "eve", name: "Eve" },
      ],
      projects: ["platform", "common", "ada", "bob", "empty"].map((name) => ({ path: `dtaas/${name}` })),
      members: [
        { path: "dtaas", username: "dtaas-bot", accessLevel: 40 },
        { path: "dtaas/ada", username: "ada", accessLevel: 40 },
        { path: "dtaas/empty", username: "ada", accessLevel: 40 },
        { path: "dtaas/common", username: "ada", accessLevel: 20 },
        { path: "dtaas/bob", username: "bob", accessLevel: 40 },
      ],
      tokens: ["root", "dtaas-bot", "ada", "bob", "eve"].map((username) => {
        return { username, name: "test", scopes: ["api", "write_repository"], value: `glpat-${username}` };
      }),
    });
    const asked: string[] = [];
    const moved: string[] = [];
    let world: LibraryWorld | undefined;
    const host = new GitLabForge({ url: forge.url, token: "glpat-dtaas-bot" });
    const commit = host.commit.bind(host);
    host.commit = async (...args) => {
      const task = world?.inBetween;
      if (world) world.inBetween = undefined;
      await task?.();
      return await commit(...args);
    };
    const port = counting(host, asked);
    const data = dataFolder(folder);
    const mirrors = new Mirrors({ folder: data.git, git: {} });
    const tracked = await Tracked.open("dtaas", data, () => undefined);
    const text = `apiVersion: dtaas/v1\nkind: Platform\nspec: { group: dtaas, shared: [{ project: dtaas/common }] }\n`;
    await tracked.setPlatform(parsePlatform(text, { file: "platform.yaml" }).document);
    await tracked.setProjects(await port.listProjects("dtaas"));
    const stop = new AbortController();
    const deps = {
      version: "0.0.0",
      group: "dtaas",
      data,
      forge: port,
      logger,
      metrics: controllerMetrics(),
      library: new Library({
        forge: port,
        mirrors,
        tracked,
        onMoved: (path, head) => void moved.push(`${path} ${head}`),
      }),
      readsShared: async (user: string, project: string) => world?.groupReaders.has(`${user} ${project}`),
      stopping: stop.signal,
    };
    const server = createApp(deps as unknown as AppDeps).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const close = async () => {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await forge.close();
    };
    world = new LibraryWorld({ forge, url, mirrors, tracked, port, folder, asked, moved, close });
    return world;
  }

  /** Where the Git host's default branch is. */
  async head(path: string): Promise<string | undefined> {
    const project = await this.port.project(path);
    return project && (await this.port.head(project));
  }

  /** A folder of the test's own. */
  async folder(name: string): Promise<string> {
    const path = join(this.#folder, "local", name);
    await mkdir(path, { recursive: true });
    return path;
  }

  async ask(
    who: string,
    method: string,
    path: string,
    options: { body?: unknown; bytes?: Uint8Array | FormData; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const { body, bytes, headers = {} } = options;
    return await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer glpat-${who}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(bytes === undefined ? {} : { body: bytes instanceof FormData ? bytes : new Uint8Array(bytes) }),
    });
  }

  /** A work tree of somebody's, made by git as they would. */
  async clone(project: string, who: string): Promise<string> {
    const folder = await mkdtemp(join(await this.folder("clones"), `${who}-`));
    const url = new URL(`${this.forge.url}/${project}.git`);
    url.username = who;
    url.password = `glpat-${who}`;
    await run("git", ["clone", "-q", url.href, folder]);
    return folder;
  }

  async git(folder: string, ...words: string[]): Promise<string> {
    const identity = ["-c", "user.name=Pusher", "-c", "user.email=pusher@example.org"];
    return (await run("git", [...identity, ...words], { cwd: folder })).stdout.trim();
  }

  /** What the Git host has at its head, byte for byte, with the commits' authors, newest first. */
  async inGit(project: string, who: string): Promise<{ files: Map<string, FileInGit>; log: string[] }> {
    const folder = await this.clone(project, who);
    const listed = await this.git(folder, "ls-tree", "-r", "-z", "HEAD");
    const files = new Map<string, FileInGit>();
    for (const line of listed.split("\0").filter(Boolean)) {
      const [about = "", path = ""] = line.split("\t");
      const [mode = "", , id = ""] = about.split(" ");
      const options = { cwd: folder, encoding: "buffer", maxBuffer: 64 * 1024 * 1024 } as const;
      const { stdout } = await run("git", ["cat-file", "blob", id], options);
      files.set(path, { content: stdout, mode });
    }
    const log = (await this.git(folder, "log", "--format=%an <%ae>: %s")).split("\n");
    return { files, log };
  }

  async end(): Promise<void> {
    await this.#close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The same forge, with every call noted by name. */
function counting(forge: Forge, asked: string[]): Forge {
  return new Proxy(forge, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        asked.push(String(name));
        return Reflect.apply(value, target, args);
      };
    },
  });
}
