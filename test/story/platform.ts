import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import {
  type ChildSettings,
  controllerEnvironment,
  forgeEnvironment,
  forgeUrl,
  httpUrl,
  runnerEnvironment,
} from "#cli/up/child-environments";
import { ciUrl } from "#cli/up/ci-url";
import { access, ForgeAdmin } from "#cli/up/forge-admin";
import { runnerKey } from "#cli/up/runner-key";
import { seedLab } from "#cli/up/seed";
import { ensureSystemHook } from "#cli/up/system-hook";
import { packageRoot } from "#core/package-root";
import type { RunningRedis } from "#embedded/redis/start-redis";
import { freshSettings } from "../fixtures/fresh-settings.ts";
import { Clone } from "./clone.ts";

const run = promisify(execFile);
const upDeadlineMs = 60_000;

export interface Process {
  pid: number;
  /** As a crash does: no warning, nothing tidied up. Resolves when it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface SeenTwin {
  user: string;
  name: string;
  phase: string;
  reason: string | null;
  revision: string | null;
  runId: string | null;
  containerId: string | null;
}

/**
 * The whole platform as its real processes on a data folder of its own: redis-server, embedded forge, controller and
 * runner on the machine's Docker engine. For stories that a user would recognise, and for taking it apart.
 */
export class Platform {
  readonly settings: ChildSettings;
  readonly redis: RunningRedis;
  readonly users: readonly string[];
  readonly #forge: Process;
  readonly #tokens = new Map<string, string>();
  controller: Process | undefined;
  runner: Process | undefined;

  private constructor(
    settings: ChildSettings,
    redis: RunningRedis,
    forge: Process,
    users: readonly string[],
  ) {
    this.settings = settings;
    this.redis = redis;
    this.#forge = forge;
    this.users = users;
  }

  /** `dataFolder`: on a file system of the test's own, say; a fresh folder otherwise. `dockerHost`: an engine of its own. */
  static async start(options: {
    users: readonly string[];
    dataFolder?: string;
    dockerHost?: string;
    /** For stories in which nothing runs. */
    withoutRunner?: boolean;
    /** With the shared repositories of `lab`, as `npm start` makes them; else the common library is the only one. */
    lab?: boolean;
  }): Promise<Platform> {
    const folder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), "dtaas-story-")));
    const { settings, redis } = await freshSettings(folder);
    if (options.dockerHost !== undefined) settings.dockerHost = options.dockerHost;
    const { secrets, ports } = settings;
    const forge = await startProcess(folder, "forge", "embedded/forge/main.js", forgeEnvironment(settings));
    const platform = new Platform(settings, redis, forge, options.users);
    try {
      // It listens a moment before it knows its administrator.
      await until("the forge knows its administrator", async () => {
        const headers = { "private-token": secrets.forgeRootToken };
        return (await fetch(`${forgeUrl(ports)}/api/v4/user`, { headers })).ok;
      });
      await platform.#seed(options.lab ?? false);
      settings.runnerKey = await runnerKey({ environment: runnerEnvironment(settings) });
      await Promise.all([
        platform.startController(),
        options.withoutRunner ? undefined : platform.startRunner(),
      ]);
    } catch (error) {
      await platform.close();
      throw error;
    }
    return platform;
  }

  get apiUrl(): string {
    return httpUrl(this.settings.ports);
  }

  get forgeUrl(): string {
    return forgeUrl(this.settings.ports);
  }

  get forgePid(): number {
    return this.#forge.pid;
  }

  token(user: string): string {
    return this.#tokens.get(user) ?? "";
  }

  /** `more`: settings that differ from the platform's, such as a Git host that is reached by a detour. */
  async startController(more: Record<string, string> = {}): Promise<void> {
    const { dataFolder, ports } = this.settings;
    this.controller = await startProcess(dataFolder, "controller", "controller/main.js", {
      ...controllerEnvironment(this.settings),
      ...more,
    });
    await until("the controller is ready", () => answers(`${httpUrl(ports)}/readyz`));
  }

  async startRunner(): Promise<void> {
    const { dataFolder, ports } = this.settings;
    this.runner = await startProcess(
      dataFolder,
      "runner",
      "runner/main.js",
      runnerEnvironment(this.settings),
    );
    await until("the runner is ready", () => answers(`http://127.0.0.1:${ports.metrics}/readyz`));
  }

  /** Everything ends, the containers of this installation too, and the data folder is removed. */
  async close(): Promise<void> {
    await this.controller?.stop();
    await this.runner?.stop();
    if (!this.runner) {
      await this.#forge.stop();
      await this.redis.stop();
      return await rm(this.settings.dataFolder, { recursive: true, force: true });
    }
    await run(process.execPath, [join(packageRoot, "dist/runner/main.js"), "--stop-all"], {
      env: runnerEnvironment(this.settings),
    });
    await this.#forge.stop();
    await this.redis.stop();
    const filter = `label=dtaas.installation=${this.settings.secrets.installation}`;
    for (const [kind, remove] of [
      [
        ["ps", "-aq"],
        ["rm", "-f"],
      ],
      [
        ["volume", "ls", "-q"],
        ["volume", "rm", "-f"],
      ],
      [
        ["network", "ls", "-q"],
        ["network", "rm"],
      ],
    ] as const) {
      const { stdout } = await this.docker(...kind, "--filter", filter);
      for (const id of stdout.split("\n").filter(Boolean)) await this.docker(...remove, id);
    }
    await rm(this.settings.dataFolder, { recursive: true, force: true });
  }

  /** A clone of a user's repository, or of a shared one as somebody who may push there. */
  async clone(project: string, user = project): Promise<Clone> {
    const url = `${this.forgeUrl}/dtaas/${project}.git`;
    return await Clone.of({ url, user, password: this.token(user) });
  }

  async api(
    path: string,
    init: { method?: string; body?: unknown; as?: string; text?: boolean } = {},
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.apiUrl}/api/v1${path}`, {
      method: init.method ?? "GET",
      headers: {
        authorization: `Bearer ${this.token(init.as ?? "root")}`,
        "content-type": "application/json",
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" || init.text ? text : JSON.parse(text) };
  }

  async twins(): Promise<SeenTwin[]> {
    return ((await this.api("/twins")).body as { items: SeenTwin[] }).items;
  }

  async twin(user: string, name: string): Promise<SeenTwin | undefined> {
    return (await this.twins()).find((twin) => twin.user === user && twin.name === name);
  }

  /** Newest status of each name on a commit, as GitLab's API tells it. */
  async statuses(
    user: string,
    commit: string,
  ): Promise<{ name: string; status: string; description: string; target_url: string | null }[]> {
    const path = `/api/v4/projects/${encodeURIComponent(`dtaas/${user}`)}/repository/commits/${commit}/statuses?per_page=100`;
    const response = await fetch(`${this.forgeUrl}${path}`, {
      headers: { "private-token": this.token("root") },
    });
    return (await response.json()) as {
      name: string;
      status: string;
      description: string;
      target_url: string | null;
    }[];
  }

  /** A further project of the group `dtaas`, as its owner; `members` are given as Reporters. Its id. */
  async createProject(name: string, members: readonly string[] = []): Promise<number> {
    const admin = new ForgeAdmin(this.forgeUrl, this.settings.secrets.forgeRootToken);
    const { id } = await admin.ensureProject(await admin.ensureGroup("dtaas"), `dtaas/${name}`, name);
    for (const user of members) await this.setMember(id, user, true);
    return id;
  }

  /** Adds a user to a project as a Reporter, or takes the membership away. */
  async setMember(projectId: number, user: string, isMember: boolean): Promise<void> {
    const admin = new ForgeAdmin(this.forgeUrl, this.settings.secrets.forgeRootToken);
    const userId = (await admin.whoIs(this.token(user))) ?? 0;
    if (isMember) await admin.ensureMember(`projects/${projectId}`, userId, access.reporter);
    else await admin.removeMember(`projects/${projectId}`, userId);
  }

  /** A clone of one of the group's projects, or of another group's, as the administrator. */
  async cloneAsRoot(project: string, group = "dtaas"): Promise<Clone> {
    const folder = await mkdtemp(join(tmpdir(), `dtaas-clone-${project}-`));
    const url = new URL(`${this.forgeUrl}/${group}/${project}.git`);
    url.username = "root";
    url.password = this.token("root");
    await run("git", ["clone", "-q", url.href, folder]);
    return new Clone(folder, "root");
  }

  /** What `docker ps` shows of this installation, ended ones included. */
  async containers(): Promise<{ id: string; name: string; state: string }[]> {
    const filter = `label=dtaas.installation=${this.settings.secrets.installation}`;
    const format = "{{.ID}} {{.Names}} {{.State}}";
    const { stdout } = await this.docker("ps", "-a", "--no-trunc", "--filter", filter, "--format", format);
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [id = "", name = "", state = ""] = line.split(" ");
        return { id, name, state };
      });
  }

  /** Run ids by how often the engine started a container of theirs since `since`. */
  async starts(
    since: Date,
    user?: string,
  ): Promise<Map<string, { twin: string; operation: string; starts: number }>> {
    const labels = [
      `dtaas.installation=${this.settings.secrets.installation}`,
      ...(user ? [`dtaas.user=${user}`] : []),
    ];
    const filters = [...labels.map((label) => `label=${label}`), "event=start", "type=container"].flatMap(
      (filter) => ["--filter", filter],
    );
    const times = ["--since", (since.getTime() / 1000).toFixed(3), "--until", (Date.now() / 1000).toFixed(3)];
    const format = ["--format", "{{json .Actor.Attributes}}"];
    const { stdout } = await this.docker("events", ...times, ...filters, ...format);
    const found = new Map<string, { twin: string; operation: string; starts: number }>();
    for (const line of stdout.split("\n").filter(Boolean)) {
      const attributes = JSON.parse(line) as Record<string, string>;
      const runId = attributes["dtaas.run"];
      if (runId === undefined) continue; // a container that builds or probes, not one of a run
      const before = found.get(runId)?.starts ?? 0;
      found.set(runId, {
        twin: attributes["dtaas.twin"] ?? "",
        operation: attributes["dtaas.operation"] ?? "",
        starts: before + 1,
      });
    }
    return found;
  }

  /** The `docker` command, on the engine of this platform. */
  async docker(...words: string[]): Promise<{ stdout: string }> {
    const { dockerHost } = this.settings;
    const env = { ...process.env, ...(dockerHost === undefined ? {} : { DOCKER_HOST: dockerHost }) };
    return await run("docker", words, { env, maxBuffer: 64 * 1024 * 1024 });
  }

  /** The `dtaas` command, as the user types it. */
  async cli(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(packageRoot, "dist/cli/main.js"), ...words],
        { env: { PATH: process.env["PATH"], DTAAS_URL: this.apiUrl, DTAAS_TOKEN: this.token("root") } },
        (error, stdout, stderr) =>
          resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr }),
      );
    });
  }

  async flushRedis(): Promise<void> {
    const url = new URL(this.settings.redisUrl);
    const secret = { REDISCLI_AUTH: decodeURIComponent(url.password), PATH: process.env["PATH"] };
    await run("redis-cli", ["-h", url.hostname, "-p", url.port, "flushall"], { env: secret });
  }

  async #seed(hasLab: boolean): Promise<void> {
    const { secrets } = this.settings;
    const admin = new ForgeAdmin(this.forgeUrl, secrets.forgeRootToken);
    this.#tokens.set("root", secrets.forgeRootToken);
    const scopes = ["api", "read_repository", "write_repository"];
    const account = async (name: string) => {
      const password = randomBytes(12).toString("hex");
      const id = await admin.ensureUser(name, name, password);
      const token = await admin.createToken(id, "story", scopes);
      secrets.accounts[name] = { password, token };
      this.#tokens.set(name, token);
      return id;
    };
    await ensureSystemHook(admin, { apiUrl: this.apiUrl, webhookSecret: secrets.webhookSecret });
    const groupId = await admin.ensureGroup("dtaas");
    const bot = await account("dtaas-bot");
    await admin.ensureMember(`groups/${groupId}`, bot, access.maintainer);
    await admin.ensureGroupVariable(groupId, "DTAAS_URL", ciUrl);
    const shared = new Map<string, number>();
    for (const name of ["platform", "common"]) {
      shared.set(name, (await admin.ensureProject(groupId, `dtaas/${name}`, name)).id);
      await this.#pushExample(name, hasLab);
    }
    const users = new Map<string, { id: number }>();
    for (const user of this.users) {
      const id = await account(user);
      users.set(user, { id });
      const project = await admin.ensureProject(groupId, `dtaas/${user}`, user);
      await admin.ensureMember(`projects/${project.id}`, id, access.maintainer);
      await admin.ensureMember(`projects/${shared.get("common")}`, id, access.reporter);
    }
    if (!hasLab) return;
    const root = { username: "root", name: "Administrator", token: secrets.forgeRootToken };
    const options = { examples: join(packageRoot, "examples"), onStep: () => {} };
    await seedLab(admin, options, { bot, users, root });
  }

  async #pushExample(project: string, hasLab: boolean): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "dtaas-example-"));
    await cp(join(packageRoot, "examples", project), folder, { recursive: true });
    const clone = new Clone(folder, "root");
    if (project === "platform" && !hasLab) {
      const lines = (await clone.read("platform.yaml")).split("\n");
      await clone.write("platform.yaml", lines.filter((line) => !line.includes("lab/")).join("\n"));
    }
    await clone.git("init", "-q", "-b", "main");
    const url = new URL(`${this.forgeUrl}/dtaas/${project}.git`);
    url.username = "root";
    url.password = this.token("root");
    await clone.git("remote", "add", "origin", url.href);
    await clone.push("feat: add the examples");
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits for a condition; the deadline's error says what was waited for and what was seen last. */
export async function until(
  what: string,
  holds: () => Promise<unknown>,
  timeoutMs = upDeadlineMs,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let seen: unknown;
  for (;;) {
    try {
      seen = await holds();
      if (seen === true) return;
    } catch (error) {
      seen = error;
    }
    if (Date.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}; seen last: ${String(seen)}`);
    await sleep(50);
  }
}

async function answers(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.ok;
}

async function startProcess(
  folder: string,
  name: string,
  script: string,
  env: Record<string, string>,
): Promise<Process> {
  await mkdir(join(folder, "logs"), { recursive: true });
  const log = join(folder, "logs", `${name}.log`);
  const child = spawn(
    "/bin/sh",
    ["-c", 'exec "$0" "$1" >>"$2" 2>&1', process.execPath, join(packageRoot, "dist", script), log],
    { env },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  if (child.pid === undefined) throw new Error(`${name} could not be started`);
  return { pid: child.pid, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}
