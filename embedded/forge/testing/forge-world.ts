import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { type ForgeOptions, type RunningForge, startForge } from "../start-forge.ts";

const run = promisify(execFile);

/** A forge in a temporary folder, with ways to use it as people do. For tests only. */
export interface ForgeWorld {
  forge: RunningForge;
  folder: string;
  /** Runs git as a stranger to this machine's settings; throws with what git printed. */
  git(cwd: string, ...args: string[]): Promise<string>;
  /** The address of a project with these credentials in it. */
  remote(project: string, username: string, password: string): string;
  /** A clone with a committer set, in a folder of its own. */
  clone(project: string, username: string, password: string): Promise<string>;
  /** Writes, commits and pushes a file; the new commit's id. */
  push(clone: string, file: string, text: string, ...options: string[]): Promise<string>;
  restart(): Promise<void>;
  end(): Promise<void>;
}

export async function forgeWorld(
  settings: Pick<ForgeOptions, "requestsPerMinute" | "clock" | "exchange"> = {},
): Promise<ForgeWorld> {
  const folder = await mkdtemp(join(tmpdir(), "forge-"));
  const options = {
    dataFolder: join(folder, "data"),
    logger: pino({ level: "silent" }),
    ...settings,
  };
  const git = async (cwd: string, ...args: string[]) => {
    const environment = {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.org",
      GIT_COMMITTER_NAME: "Ada",
      GIT_COMMITTER_EMAIL: "ada@example.org",
    };
    const { stdout, stderr } = await run("git", ["-c", "init.defaultBranch=main", ...args], {
      cwd,
      env: environment,
    });
    return stdout.trim() || stderr.trim();
  };
  const world: ForgeWorld = {
    forge: await startForge(options),
    folder,
    git,
    remote: (project, username, password) => {
      const url = new URL(`${world.forge.url}/${project}.git`);
      url.username = username;
      url.password = password;
      return url.href;
    },
    clone: async (project, username, password) => {
      const target = await mkdtemp(join(folder, "clone-"));
      await git(folder, "clone", "--quiet", world.remote(project, username, password), target);
      return target;
    },
    push: async (clone, file, text, ...more) => {
      await writeFile(join(clone, file), text);
      await git(clone, "add", "--all");
      await git(clone, "commit", "--quiet", "-m", `write ${file}`);
      await git(clone, "push", "--quiet", ...more, "origin", "HEAD");
      return await git(clone, "rev-parse", "HEAD");
    },
    restart: async () => {
      const { port } = new URL(world.forge.url);
      await world.forge.close();
      world.forge = await startForge({ ...options, port: Number(port) });
    },
    end: async () => {
      await world.forge.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return world;
}

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** An HTTP server that keeps what webhooks bring. */
export async function hookReceiver(): Promise<{ url: string; received: Received[]; close(): Promise<void> }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
      response.writeHead(202).end("thanks");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/webhooks/gitlab`,
    received,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
