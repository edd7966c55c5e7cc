import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ForgeAdmin } from "#cli/up/forge-admin";
import { loadSecrets } from "#cli/up/secrets";
import { packageRoot } from "#core/package-root";
import { freePort } from "#embedded/processes/free-port";
import { probeBubblewrap } from "#runner/engine/process/bubblewrap";
import { allProcesses } from "#runner/engine/process/members";
import { RunFiles } from "#runner/engine/process/run-files";
import { Clone } from "./clone.ts";
import { type SeenTwin, until } from "./platform.ts";

const run = promisify(execFile);
const bubblewrap = await probeBubblewrap();
const kinds = ["none", ...("version" in bubblewrap ? (["auto"] as const) : [])] as const;
if ("reason" in bubblewrap) console.warn(`skipped: the story in bubblewrap: ${bubblewrap.reason}`);

const spec = `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: pump }
spec:
  state: running
  rollout: { strategy: parallel }
  lifecycle: { execute: { run: lifecycle/execute, grace: 1s } }
`;
const script = (version: number) =>
  `#!/bin/sh\necho "version ${version} of $DT_NAME listens on $PORT"\nexec sleep 100000\n`;

/** `dtaas up --engine process`, as a person starts it. */
class Up {
  readonly folder: string;
  readonly apiUrl: string;
  readonly forgeUrl: string;
  readonly #environment: Record<string, string | undefined>;
  #process: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  said = "";

  private constructor(folder: string, http: number, forge: number, isolation: string) {
    this.folder = folder;
    this.apiUrl = `http://127.0.0.1:${http}/api/v1`;
    this.forgeUrl = `http://127.0.0.1:${forge}`;
    this.#environment = {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      DTAAS_PORT: String(http),
      DTAAS_FORGE_PORT: String(forge),
      DTAAS_ISOLATION: isolation,
    };
  }

  static async make(isolation: string): Promise<Up> {
    const folder = await mkdtemp(join(tmpdir(), "dtaas-up-"));
    return new Up(folder, await freePort(), await freePort(), isolation);
  }

  start(): void {
    const args = ["up", "--engine", "process", "--data", this.folder, "--yes"];
    this.said = "";
    const child = spawn(process.execPath, [join(packageRoot, "dist/cli/main.js"), ...args], {
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.said += chunk.toString();
      });
    }
    this.#ended = new Promise((resolve) => child.once("close", resolve));
    this.#process = child;
  }

  async isUp(): Promise<void> {
    await until("the platform is up", async () => this.said.includes("The platform is up") || this.said);
  }

  async end(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    this.#process?.kill(signal);
    await this.#ended;
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  async token(user: string): Promise<string> {
    const cli = JSON.parse(await readFile(join(this.folder, "cli.json"), "utf8"));
    return (cli as { users: Record<string, { token: string }> }).users[user]?.token ?? "";
  }

  async twin(name: string): Promise<SeenTwin | undefined> {
    const headers = { authorization: `Bearer ${await this.token("user1")}` };
    const answer = await fetch(`${this.apiUrl}/twins`, { headers });
    return ((await answer.json()) as { items: SeenTwin[] }).items.find((twin) => twin.name === name);
  }

  async clone(user: string): Promise<Clone> {
    const url = `${this.forgeUrl}/dtaas/${user}.git`;
    return await Clone.of({ url, user, password: await this.token(user) });
  }

  /** First process of what runs for a twin, and whether it lives. */
  async command(name: string): Promise<number | undefined> {
    const id = (await this.twin(name))?.containerId ?? "none";
    return (await new RunFiles(join(this.folder, "engine")).stateOf(id))?.command?.pid;
  }

  async administrator(): Promise<ForgeAdmin> {
    return new ForgeAdmin(this.forgeUrl, (await loadSecrets(this.folder)).forgeRootToken);
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}

for (const isolation of kinds) {
  describe(`without a container engine, ${isolation === "auto" ? "in bubblewrap" : "as plain processes"}, a user`, () => {
    let up: Up;
    let clone: Clone;
    const isLive = async (what: (twin: SeenTwin) => unknown = () => true) =>
      until("it is live", async () => {
        const twin = await up.twin("pump");
        return (twin?.phase === "live" && what(twin) === true) || JSON.stringify(twin);
      });

    beforeAll(async () => {
      up = await Up.make(isolation);
      up.start();
      await up.isUp();
      clone = await up.clone("user1");
    });
    afterAll(async () => {
      await up?.remove();
      if (clone) await rm(clone.folder, { recursive: true, force: true });
    });

    test("is told in one line what is not isolated, and finds the examples where Git wants them", async () => {
      expect(up.said).toMatch(/^Twins run as .*NOT isolated.*$/m);
      expect(up.said).toMatch(/3 where Git wants them/);
      expect(up.said).not.toContain("user2");
    });

    test("pushes a twin and sees it live, with its log", async () => {
      await clone.write("digital_twins/pump/dt.yaml", spec);
      await clone.write("digital_twins/pump/lifecycle/execute", script(1), 0o755);
      await clone.push("feat: add a pump");
      await isLive();
      const runId = (await up.twin("pump"))?.runId ?? "";
      const log = join(up.folder, "runs/user1/pump", runId, "log.ndjson");
      await until("it has spoken", async () =>
        /version 1 of pump listens on \d+/.test(await readFile(log, "utf8")),
      );
    });

    test("kills its process, and it is back", async () => {
      const before = await up.twin("pump");
      process.kill(-((await up.command("pump")) ?? 0), "SIGKILL");
      await isLive((twin) => twin.runId !== before?.runId);
    });

    test("changes it, and the old one has made room for the new one", async () => {
      const old = (await up.command("pump")) ?? 0;
      const before = await up.twin("pump");
      await clone.write("digital_twins/pump/lifecycle/execute", script(2), 0o755);
      await clone.push("feat: say it otherwise");
      await isLive((twin) => twin.revision !== before?.revision);
      expect(allProcesses().some(({ session }) => session === old)).toBe(false);
    });

    test("asks for packages, and is told what to install here", async () => {
      const more = "  workspace: { template: python, packages: { pip: [numpy] } }\n";
      await clone.write("digital_twins/calc/dt.yaml", spec.replace("pump", "calc") + more);
      await clone.write("digital_twins/calc/lifecycle/execute", script(1), 0o755);
      await clone.push("feat: add a calculator");
      await until("it says so", async () => {
        const reason = (await up.twin("calc"))?.reason ?? "";
        return reason.includes("pip install numpy") || reason;
      });
      await clone.remove("digital_twins/calc");
      await clone.push("chore: remove it again");
    });

    test("gives a twin a secret, and it is a file and a variable, and not in the log", async () => {
      const value = `planted-${isolation}-value`;
      const token = await up.token("user1");
      const set = await fetch(`${up.apiUrl}/users/user1/secrets/PLANT_TOKEN`, {
        method: "PUT",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ value }),
      });
      expect(set.status).toBe(200);
      const secrets = "  secrets: [{ name: PLANT_TOKEN, env: true }]\n";
      await clone.write("digital_twins/vault/dt.yaml", spec.replace("pump", "vault") + secrets);
      const says = `#!/bin/sh
[ "$(cat "$DT_SECRETS/PLANT_TOKEN")" = "$PLANT_TOKEN" ] && echo "the same"
stat -c "%a %n" "$DT_SECRETS/PLANT_TOKEN"
echo "it is $PLANT_TOKEN, at ${"$"}{#PLANT_TOKEN}"
exec sleep 100000
`;
      await clone.write("digital_twins/vault/lifecycle/execute", says, 0o755);
      await clone.push("feat: add a vault");
      await until("it is live", async () => {
        const twin = await up.twin("vault");
        return twin?.phase === "live" || JSON.stringify(twin);
      });
      const runId = (await up.twin("vault"))?.runId ?? "";
      const log = join(up.folder, "runs/user1/vault", runId, "log.ndjson");
      await until("it has spoken", async () => (await readFile(log, "utf8")).includes("it is "));
      const text = await readFile(log, "utf8");
      expect(text).toContain("the same");
      expect(text).toContain(`it is [redacted secret], at ${value.length}`);
      expect(text).toMatch(
        isolation === "auto" ? /600 \/run\/secrets\/PLANT_TOKEN/ : /600 \/dev\/shm\/dtaas-/,
      );
      const kept = await run("grep", ["-rl", value, up.folder]).then(({ stdout }) =>
        stdout.trim().split("\n"),
      );
      // What a twin prints, the engine has as it came, for its own account and until the run is removed.
      const allowed = /\/engine\/runs\/user1-vault-.*\/log\.ndjson$|\/forge\/state\/variables\//;
      expect(kept.filter((path) => !allowed.test(path))).toEqual([]);
      await clone.remove("digital_twins/vault");
      await clone.push("chore: remove it again");
      await until("it is gone", async () => (await up.twin("vault")) === undefined);
    });

    test("asks for a workspace, and is told that it needs a container engine", async () => {
      const headers = {
        authorization: `Bearer ${await up.token("user1")}`,
        "content-type": "application/json",
      };
      const path = `${up.apiUrl}/workspaces/user1`;
      const body = JSON.stringify({ state: "running" });
      expect((await fetch(`${path}/state`, { method: "PUT", headers, body })).status).toBe(202);
      await until("it is refused", async () => {
        const view = (await (await fetch(path, { headers })).json()) as {
          state: string;
          reason: string | null;
        };
        return (view.state === "failed" && view.reason?.includes("container engine")) || view.state;
      });
    });

    test("has the platform killed, and the next start finds the same process", async () => {
      const before = await up.twin("pump");
      const pid = await up.command("pump");
      await up.end("SIGKILL");
      expect(allProcesses().some((each) => each.pid === pid)).toBe(true);
      up.start();
      await up.isUp();
      await isLive((twin) => twin.runId === before?.runId);
    });

    test("removes it, and it is gone", async () => {
      const pid = (await up.command("pump")) ?? 0;
      await clone.remove("digital_twins/pump");
      await clone.push("chore: remove the pump");
      await until("it is gone", async () => (await up.twin("pump")) === undefined);
      expect(allProcesses().some(({ session }) => session === pid)).toBe(false);
    });

    test("may not be joined by a second user who pushes", async () => {
      const admin = await up.administrator();
      const group = await admin.ensureGroup("dtaas");
      const id = await admin.ensureUser("anna", "Anna", "a-password-of-hers-1");
      await admin.ensureMember(`groups/${group}`, id, 30);
      await up.ended();
      expect(up.said).toMatch(/anna may push beside user1.*\[SECOND_PUSHER\]/);
      up.start();
      await up.ended();
      expect(up.said).toMatch(/anna may push beside user1.*\[SECOND_PUSHER\]/);
    });
  });
}
