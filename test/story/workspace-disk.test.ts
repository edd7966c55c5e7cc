import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const buildMs = 170_000; // the first workspace installs packages
const mebibyte = 1024 ** 2;
const limit = 64 * mebibyte;

describe("a user whose workspace may have 64 MiB", () => {
  let platform: Platform;
  let clone: Clone;

  const view = async () => (await platform.api("/workspaces/user1", { as: "user1" })).body as WorkspaceView;
  const isIn = (state: string) =>
    until(`the workspace is ${state}`, async () => {
      const now = await view();
      return (now.state === state && now.applied) || `${now.state}: ${now.reason ?? ""}`;
    });
  const start = async () =>
    await platform.cli("workspace", "start", "user1", "--timeout", String(buildMs / 1000));
  const container = async () => {
    const labels = [
      `label=dtaas.installation=${platform.settings.secrets.installation}`,
      "label=dtaas.workspace=user1",
    ];
    const { stdout } = await run("docker", ["ps", "-q", ...labels.flatMap((one) => ["--filter", one])]);
    return stdout.trim();
  };
  const inside = async (script: string) =>
    (await run("docker", ["exec", await container(), "bash", "-c", script])).stdout.trim();
  /** Writes for ever, a mebibyte at a time, until the workspace is ended: about 20 MiB a second. */
  const writeForEver = async (into: string) =>
    void run("docker", [
      ...["exec", await container(), "bash", "-c"],
      `for i in $(seq 100000); do head -c ${mebibyte} /dev/zero >> ${into} || exit; sleep 0.05; done`,
    ]).catch(() => undefined);
  const used = async () => (await view()).disk?.usedBytes ?? 0;

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    await clone.write(
      "workspace.yaml",
      "apiVersion: dtaas/v1\nkind: Workspace\nspec: { template: base, resources: { cpus: 1, memory: 512Mi, disk: 64Mi } }\n",
    );
    await clone.push("feat: a small workspace");
  });
  afterAll(async () => {
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  test("sees what its files take, those in folders closed to everybody and in its home included", async () => {
    expect((await start()).stdout).toMatch(/^user1: ready/);
    await inside(
      "mkdir closed; head -c 20M /dev/urandom > closed/a; chmod 000 closed; head -c 10M /dev/urandom > ~/b; ln -s / everything",
    );
    await until("it is measured", async () => (await used()) >= 30 * mebibyte || (await used()) / mebibyte);
    expect(await used()).toBeLessThan(limit); // and the link to everything was not followed
    expect((await platform.cli("workspace", "show", "user1")).stdout).toMatch(/disk +\d+Mi of 64Mi/);
    expect((await view()).state).toBe("ready");
    await inside("chmod 700 closed; rm -r closed everything");
  });

  test("is ended soon after its files have passed the limit, and told so", async () => {
    await writeForEver("~/filler");
    await isIn("failed");
    const { reason } = await view();
    expect(reason).toMatch(
      /its files take \d+ MiB, more than 64 MiB \(resources.disk\): start it again and delete some/,
    );
    expect(await container()).toBe("");
    expect((await platform.cli("workspace", "list")).stdout).toContain("more than 64 MiB");
    // What it wrote in the time between two measurements and while it ended; without an end it would be 20 MiB a second.
    expect(await used()).toBeLessThan(limit + 400 * mebibyte);
  });

  test("is let in to make room, and ended when the files grow instead", async () => {
    expect((await start()).stdout).toMatch(/^user1: ready/);
    expect((await view()).reason).toContain("delete some; it is ended when they grow");
    await writeForEver("~/more");
    await isIn("failed");
    expect((await start()).stdout).toMatch(/^user1: ready/);
    await inside("rm ~/filler ~/more");
    await until("there is room", async () => {
      const now = await view();
      return (now.state === "ready" && now.reason === null && (await used()) < limit) || now.reason;
    });
    expect(await inside("head -c 20M /dev/zero > ~/fine && echo written")).toBe("written");
  });

  test("leaves nothing that measures when the platform stops", async () => {
    const names = async () => (await platform.containers()).map(({ name }) => name);
    expect((await names()).some((name) => name.endsWith("-measure"))).toBe(true);
    await platform.runner?.stop();
    expect((await names()).some((name) => name.endsWith("-measure"))).toBe(false);
    await platform.startRunner();
    await isIn("ready");
  });
});
