import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, runningSpec } from "./twin-files.ts";

const run = promisify(execFile);

// The main job once, from end to end: also run with each other version of Node.js that is supported.
let platform: Platform;
let clone: Clone;

beforeAll(async () => {
  platform = await Platform.start({ users: ["user1"] });
  clone = await platform.clone("user1");
});
afterAll(async () => {
  await platform?.close();
  if (clone) await rm(clone.folder, { recursive: true, force: true });
});

test(`with Node.js ${process.version} a push goes live, comes back when killed, survives a broken one, and ends with its folder`, async () => {
  const live = await goesLive(platform, clone, "user1", "hello");
  const before = await platform.twin("user1", "good");
  await run("docker", ["kill", before?.containerId ?? ""]);
  await until("it is back", async () => {
    const twin = await platform.twin("user1", "good");
    return (twin?.phase === "live" && twin.containerId !== before?.containerId) || JSON.stringify(twin);
  });

  await clone.write("digital_twins/good/dt.yaml", runningSpec("good", "  stat: running\n"));
  const broken = await clone.push("feat: a field that is not there");
  await until("the commit says where", async () => {
    const [found] = await platform.statuses("user1", broken);
    return /dt\.yaml:9:3: .*stat/.test(found?.description ?? "") || JSON.stringify(found);
  });
  expect(await platform.twin("user1", "good")).toMatchObject({ phase: "live", revision: live });

  await clone.remove("digital_twins/good");
  await clone.push("chore: remove it");
  await until("it is gone", async () => {
    const left = [...(await platform.twins()), ...(await platform.containers())];
    return left.length === 0 || JSON.stringify(left);
  });
});
