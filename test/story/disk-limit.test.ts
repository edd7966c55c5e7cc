import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { runningSpec } from "./twin-files.ts";

const run = promisify(execFile);
const script = "#!/bin/sh\nhead -c 8M /dev/zero >written\ntrap 'exit 0' TERM\nwhile :; do sleep 0.2; done\n";
let platform: Platform;
let clone: Clone;

const seen = () => platform.twin("user1", "writer");
const limit = async (disk: string) => {
  await clone.write(
    "digital_twins/writer/dt.yaml",
    runningSpec("writer", `    clean: { run: lifecycle/clean }\n  resources: { disk: ${disk} }\n`),
  );
  return await clone.push(`feat: allow ${disk}`);
};
const isFull = () =>
  until("it is ended for what it wrote", async () => {
    const twin = await seen();
    return (twin?.phase === "failed" && twin.reason?.includes("resources.disk")) || JSON.stringify(twin);
  });

beforeAll(async () => {
  platform = await Platform.start({ users: ["user1"] });
  clone = await platform.clone("user1");
  await clone.write("digital_twins/writer/lifecycle/execute", script, 0o755);
  await clone.write("digital_twins/writer/lifecycle/clean", "#!/bin/sh\necho cleaning\n", 0o755);
});
afterAll(async () => {
  await platform?.close();
  await rm(clone.folder, { recursive: true, force: true });
});

test("a twin that writes more than it may is ended, and says how much that was", async () => {
  await limit("4Mi");
  await isFull();
  expect((await seen())?.reason).toMatch(/^its files take \d+ MiB, more than 4 MiB/);
  expect((await platform.containers()).filter(({ state }) => state === "running")).toEqual([]);
});

test("with a larger limit it goes on with what it wrote", async () => {
  await limit("64Mi");
  await until("it is live", async () => (await seen())?.phase === "live" || JSON.stringify(await seen()));
  const { stdout } = await run("docker", [
    "exec",
    (await seen())?.containerId ?? "",
    "stat",
    "-c",
    "%s",
    "written",
  ]);
  expect(stdout.trim()).toBe(String(8 * 1024 * 1024));
});

test("clean empties what it wrote, and is all that runs until then", async () => {
  await limit("4Mi");
  await isFull();
  const cleaned = await platform.cli("twin", "run", "user1/writer", "clean", "-f");
  expect(cleaned).toMatchObject({ code: 0, stdout: expect.stringContaining("cleaning") });
  await until("it writes again, from the beginning", async () => {
    const twin = await seen();
    return twin?.phase === "live" || twin?.phase === "starting" || JSON.stringify(twin);
  });
});
