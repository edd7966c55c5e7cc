import { cp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { packageRoot } from "#core/package-root";
import { Platform, until } from "./platform.ts";

// What a first start shows: every example where its `state` wants it.
const wanted: Record<string, Record<string, string>> = {
  user1: { "hello-world": "ready", incubator: "live", "mass-spring-damper": "completed" },
  user2: {
    ...{ "tank-1": "live", "tank-2": "live", "tank-3": "live" },
    ...{ "three-tank": "live", "water-tank": "ready" },
  },
};

let platform: Platform;

beforeAll(async () => {
  platform = await Platform.start({ users: Object.keys(wanted) });
});
afterAll(async () => {
  await platform?.close();
});

test("every example is where Git wants it, with the shared assets it uses", async () => {
  for (const user of Object.keys(wanted)) {
    const clone = await platform.clone(user);
    await cp(join(packageRoot, "examples", user), clone.folder, { recursive: true });
    await clone.push("feat: the examples");
  }
  for (const [user, twins] of Object.entries(wanted)) {
    await until(`the examples of ${user} are where Git wants them`, async () => {
      const seen = (await platform.twins()).filter((twin) => twin.user === user);
      const phases = Object.fromEntries(seen.map(({ name, phase }) => [name, phase]));
      return JSON.stringify(phases, Object.keys(twins).sort()) ===
        JSON.stringify(twins, Object.keys(twins).sort())
        ? true
        : JSON.stringify(phases);
    });
  }
});
