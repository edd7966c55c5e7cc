import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder, sealedPath } from "#core/data-folder";
import { packageRoot } from "#core/package-root";
import { secretsFolderOf } from "#runner/secrets/secret-folders";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { runningSpec } from "./twin-files.ts";

const run = promisify(execFile);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const newValue = () => `planted-${randomBytes(16).toString("hex")}`;

// Says what it was given without saying it, then says it all the same, as careless programs do.
const script = `#!/bin/sh
echo "file $(sha256sum < "$DT_SECRETS/PLANT_TOKEN" | cut -c1-64)"
echo "env $(printf %s "$PLANT_TOKEN" | sha256sum | cut -c1-64)"
echo "leak $(cat /run/secrets/PLANT_TOKEN) and $(base64 -w0 < /run/secrets/PLANT_TOKEN)"
(echo x > /run/secrets/PLANT_TOKEN) 2>/dev/null || echo read-only
exec sleep 1000000
`;

describe("a user whose twin needs a secret", () => {
  let platform: Platform;
  let clone: Clone;
  let value = newValue();
  let commit = "";

  /** The dtaas command as this user types it, with something piped in. */
  const dtaas = (user: string, input: string, ...words: string[]) =>
    new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
      const env = {
        PATH: process.env["PATH"],
        DTAAS_URL: platform.apiUrl,
        DTAAS_TOKEN: platform.token(user),
      };
      const child = spawn(process.execPath, [join(packageRoot, "dist/cli/main.js"), ...words], { env });
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (chunk) => (stdout += String(chunk)));
      child.stderr.on("data", (chunk) => (stderr += String(chunk)));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
      child.stdin.end(input);
    });
  const twin = (name = "vault") => platform.twin("user1", name);
  const isLive = (what: string, other: { runId: string | null } = { runId: "" }) =>
    until(what, async () => {
      const now = await twin();
      return (now?.phase === "live" && now.runId !== other.runId) || JSON.stringify(now);
    });
  const log = async () => (await platform.cli("twin", "logs", "user1/vault")).stdout;
  const logSays = (text: string) =>
    until(`the log says ${text}`, async () => (await log()).includes(text) || (await log()));
  const status = async () =>
    (await platform.statuses("user1", commit)).find(({ name }) => name === "dtaas/vault");

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    clone = await platform.clone("user1");
    const secrets = "  secrets: [{ name: PLANT_TOKEN, env: true }]\n";
    await clone.write("digital_twins/vault/dt.yaml", runningSpec("vault", secrets));
    await clone.write("digital_twins/vault/lifecycle/execute", script, 0o755);
  });
  afterAll(async () => {
    await platform?.close();
  });

  test("pushes it before the secret has a value: the commit says so at the line, and nothing runs", async () => {
    commit = await clone.push("feat: a twin with a secret");
    await until("the commit says what is missing", async () => {
      const now = await status();
      return now?.status === "failed" || JSON.stringify(now);
    });
    expect((await status())?.description).toMatch(
      /^digital_twins\/vault\/dt\.yaml:9:13: the secret `PLANT_TOKEN` has no value/,
    );
    expect(await platform.containers()).toEqual([]);
  });

  test("sets the secret, and the twin has it as a file and in its environment, and cannot change it", async () => {
    const set = await dtaas("user1", `${value}\n`, "secret", "set", "PLANT_TOKEN");
    expect(set).toMatchObject({ code: 0, stderr: "" });
    expect(set.stdout).toBe("PLANT_TOKEN of user1: created for vault; what runs starts again\n");
    await isLive("the twin is live with its secret");
    await logSays(`file ${sha256(value)}`);
    await logSays(`env ${sha256(value)}`);
    await logSays("read-only");
    await until("the commit says success", async () => (await status())?.status === "success");
  });

  test("finds the value taken out of the log, live and stored", async () => {
    await logSays("leak [redacted secret] and [redacted secret]");
    expect(await log()).not.toContain(value);
  });

  test("finds the value in the memory of the machine and inside the container, and nowhere else", async () => {
    const { dataFolder: folder, secrets } = platform.settings;
    const needles = [
      value,
      Buffer.from(value).toString("base64").slice(0, 24),
      Buffer.from(value).toString("hex"),
    ];
    const has = (text: string) => needles.some((needle) => text.includes(needle));
    const found: string[] = [];
    const look = async (path: string): Promise<void> => {
      for (const entry of await readdir(path, { withFileTypes: true })) {
        const at = join(path, entry.name);
        if (entry.isDirectory()) await look(at);
        else if (entry.isFile() && has(await readFile(at, "latin1").catch(() => ""))) found.push(at);
      }
    };
    // Everything the platform keeps: desired, observed, sealed, runs, snapshots, builds, logs, journals, Redis' own files.
    await look(folder);
    expect(found.map((path) => path.slice(folder.length))).toEqual([
      expect.stringMatching(/^\/forge\/state\/variables\/\d+\.json$/), // the Git host's own
    ]);
    found.length = 0;
    const { runId, containerId } = (await twin()) ?? {};
    const memory = secretsFolderOf(dataFolder(folder));
    await look(memory);
    expect(found).toEqual([join(memory, runId ?? "", "values", "PLANT_TOKEN")]);
    expect((await stat(memory)).mode & 0o777).toBe(0o700);

    const told: Record<string, string> = {};
    const { stdout: inspected } = await run("docker", ["inspect", containerId ?? ""]);
    const image = (JSON.parse(inspected) as { Image: string }[])[0]?.Image ?? "";
    told["the engine's configuration"] = inspected;
    told["the image"] = (await run("docker", ["image", "inspect", image])).stdout;
    told["its history"] = (await run("docker", ["history", "--no-trunc", image])).stdout;
    told["what the container has written"] = (await run("docker", ["diff", containerId ?? ""])).stdout;
    told["commit statuses"] = JSON.stringify(await platform.statuses("user1", commit));
    told["the API"] = JSON.stringify([
      await platform.api("/twins/user1/vault"),
      await platform.api(`/twins/user1/vault/runs/${runId}`),
      await platform.api("/users/user1/secrets"),
      await platform.api("/deliveries"),
      (await platform.api(`/twins/user1/vault/runs/${runId}/log`, { text: true })).body,
    ]);
    told["Redis"] = await redisText(platform.settings.redisUrl);
    const pids = [platform.controller?.pid, platform.runner?.pid, platform.forgePid];
    for (const pid of pids) told[`environment of ${pid}`] = await readFile(`/proc/${pid}/environ`, "latin1");
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
      told[`command line of ${pid}`] = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    expect(Object.keys(told).filter((place) => has(told[place] ?? ""))).toEqual([]);
    expect(told["Redis"]?.length).toBeGreaterThan(100);
    expect(told["the API"]).toContain("PLANT_TOKEN");

    expect(await scanImage(image, needles)).toEqual({ layersSeen: true, found: false });
    const inside = await run("docker", [
      "exec",
      containerId ?? "",
      "sh",
      "-c",
      `grep -rls ${value} /workspace /tmp /home /etc /run /var 2>/dev/null; true`,
    ]);
    expect(inside.stdout.trim()).toBe("/run/secrets/PLANT_TOKEN");
    expect(secrets.installation.length).toBeGreaterThan(0);
  });

  test("lists secrets without their values; who is no maintainer may not, and a stranger sees none", async () => {
    const list = await dtaas("user1", "", "secret", "list");
    expect(list.stdout).toMatch(/PLANT_TOKEN +dtaas\/user1 +\* +vault/);
    expect(list.stdout).not.toContain(value);
    expect(await dtaas("user2", "x", "secret", "set", "PLANT_TOKEN", "--user", "user1")).toMatchObject({
      code: 5,
    });
    expect(await dtaas("user2", "", "secret", "list", "--user", "user1")).toMatchObject({ code: 5 });
  });

  test("pushes a README: nothing starts again", async () => {
    const before = await twin();
    await clone.write("digital_twins/vault/README.md", "# Vault\n");
    const head = await clone.push("docs: a README");
    await until("the revision is known", async () => {
      const plan = (await platform.api("/users/user1/plan")).body as { revision: string };
      return plan.revision === head;
    });
    expect((await twin())?.runId).toBe(before?.runId);
  });

  test("rotates the secret: the twin starts again with the new value, on the workspace it has", async () => {
    const before = await twin();
    await run("docker", ["exec", before?.containerId ?? "", "sh", "-c", "echo kept > /workspace/kept"]);
    value = newValue();
    const rotated = await dtaas("user1", value, "secret", "rotate", "PLANT_TOKEN");
    expect(rotated.stdout).toBe("PLANT_TOKEN of user1: replaced for vault; what runs starts again\n");
    await isLive("another run is live", { runId: before?.runId ?? "" });
    await logSays(`file ${sha256(value)}`);
    const now = await twin();
    const kept = await run("docker", ["exec", now?.containerId ?? "", "cat", "/workspace/kept"]);
    expect(kept.stdout).toBe("kept\n");
    const memory = secretsFolderOf(dataFolder(platform.settings.dataFolder));
    await until("nothing is left of the old one", async () => (await readdir(memory)).join() === now?.runId);
    expect(await dtaas("user1", "x", "secret", "rotate", "PLANT_TOKN")).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("did you mean `PLANT_TOKEN`?"),
    });
  });

  test("changes it on the pages of the Git host instead: that is noticed, too", async () => {
    await platform.controller?.stop();
    await platform.startController({ DTAAS_RESYNC_SECONDS: "1" });
    const before = await twin();
    value = newValue();
    const url = `${platform.forgeUrl}/api/v4/projects/dtaas%2Fuser1/variables/PLANT_TOKEN`;
    const changed = await fetch(url, {
      method: "PUT",
      headers: { "private-token": platform.token("user1"), "content-type": "application/json" },
      body: JSON.stringify({ value }),
    });
    expect(changed.status).toBe(200);
    await isLive("another run is live", { runId: before?.runId ?? "" });
    await logSays(`file ${sha256(value)}`);
  });

  test("loses the container while the controller is away: it is back with its secret", async () => {
    const before = await twin();
    await platform.controller?.stop();
    await run("docker", ["kill", before?.containerId ?? ""]);
    await until("another container runs", async () =>
      (await platform.containers()).some(
        ({ id, state }) => state === "running" && id !== before?.containerId,
      ),
    );
    await platform.startController({ DTAAS_RESYNC_SECONDS: "1" });
    await isLive("another run is live", { runId: before?.runId ?? "" });
    await logSays(`file ${sha256(value)}`);
  });

  test("cipher text that somebody carries to another user's twin gives it nothing but a refusal", async () => {
    const thief = await platform.clone("user2");
    await thief.write("digital_twins/vault/dt.yaml", runningSpec("vault", "  secrets: [PLANT_TOKEN]\n"));
    await thief.write("digital_twins/vault/lifecycle/execute", script, 0o755);
    const sealed = JSON.parse(
      await readFile(sealedPath(dataFolder(platform.settings.dataFolder), "user1", "vault"), "utf8"),
    ) as { secrets: { sealedText: string }[] };
    await thief.write("secrets/PLANT_TOKEN.age", sealed.secrets[0]?.sealedText ?? "");
    await thief.push("feat: a secret of somebody else");
    await until("the twin says why it does not run", async () => {
      const now = await platform.twin("user2", "vault");
      return (now?.phase === "failed" && now.reason?.includes("is for another place")) || JSON.stringify(now);
    });
    expect((await platform.containers()).filter(({ name }) => name.includes("user2"))).toEqual([]);
  });

  test("seals a value into the repository: it counts before the variable, for this project alone", async () => {
    const before = await twin();
    value = newValue();
    const sealed = await dtaas("user1", value, "secret", "seal", "PLANT_TOKEN", "--expires", "30d");
    expect(sealed.stdout).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    await clone.write("secrets/PLANT_TOKEN.age", sealed.stdout);
    await clone.push("feat: the secret, sealed");
    await isLive("another run is live", { runId: before?.runId ?? "" });
    await logSays(`file ${sha256(value)}`);
    await clone.remove("secrets/PLANT_TOKEN.age");
    const head = await clone.push("feat: the variable again");
    await until("the variable counts again", async () => {
      const plan = (await platform.api("/users/user1/plan")).body as { revision: string };
      return plan.revision === head && !(await log()).includes(sha256(value));
    });
    await isLive("it is live again", { runId: "" });
  });

  test("deletes it: what runs goes on, the commit says why it could not start again, and then it cannot", async () => {
    await dtaas("user1", "", "secret", "delete", "PLANT_TOKEN").then(({ stdout }) =>
      expect(stdout).toBe("PLANT_TOKEN of user1: deleted; vault cannot be started again without it\n"),
    );
    commit = await clone.git("rev-parse", "HEAD");
    await until("the commit says what is missing", async () => {
      const now = await status();
      return now?.status === "failed" || JSON.stringify(now);
    });
    expect((await status())?.description).toMatch(
      /dt\.yaml:9:13: the secret `PLANT_TOKEN` has no value.* still runs/,
    );
    const before = await twin();
    expect(before?.phase).toBe("live");
    await run("docker", ["kill", before?.containerId ?? ""]);
    await until("it says that its secret is gone", async () => {
      const now = await twin();
      return (
        (now?.phase === "failed" && now.reason?.includes("PLANT_TOKEN has been deleted")) ||
        JSON.stringify(now)
      );
    });
    const controllerLog = await readFile(join(platform.settings.dataFolder, "logs/controller.log"), "utf8");
    const audit = controllerLog.split("\n").filter((line) => line.includes('"audit":"secret-'));
    expect(audit.map((line) => (JSON.parse(line) as { audit: string; by: string }).audit)).toEqual([
      "secret-created",
      "secret-replaced",
      "secret-deleted",
    ]);
    expect(audit.every((line) => line.includes('"by":"user1"'))).toBe(true);
  });
});

/** Everything that Redis holds, as text. */
async function redisText(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const texts: string[] = [];
    for (const key of await redis.keys("*")) {
      const kind = await redis.type(key);
      const content = {
        string: () => redis.get(key),
        hash: () => redis.hgetall(key),
        list: () => redis.lrange(key, 0, -1),
        set: () => redis.smembers(key),
        zset: () => redis.zrange(key, "0", "-1"),
        stream: () => redis.xrange(key, "-", "+"),
      }[kind];
      texts.push(key, JSON.stringify(await content?.()));
    }
    return texts.join("\n");
  } finally {
    redis.disconnect();
  }
}

/** Looks through every layer of an image, as the engine hands it out. */
function scanImage(image: string, needles: string[]): Promise<{ layersSeen: boolean; found: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn("docker", ["save", image]);
    let tail = "";
    let layersSeen = false;
    let found = false;
    child.stdout.on("data", (chunk: Buffer) => {
      const text = tail + chunk.toString("latin1");
      found ||= needles.some((needle) => text.includes(needle));
      layersSeen ||= text.includes("usr/local/lib/dtaas/init");
      tail = text.slice(-200);
    });
    child.once("error", reject);
    child.once("close", () => resolve({ layersSeen, found }));
  });
}
