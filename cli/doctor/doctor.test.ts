import { expect, test } from "vitest";
import { nodeVersion } from "./diagnose.ts";
import { table } from "./doctor-command.ts";

test("Node.js 20.19, 22.12 and newer are good, others are named as missing", () => {
  const states = ["20.18.3", "20.19.0", "21.7.0", "22.11.0", "22.12.0", "24.1.0", "18.20.0"].map(
    (version) => nodeVersion(version).state,
  );
  expect(states).toEqual(["missing", "ok", "missing", "missing", "ok", "ok", "missing"]);
});

test("each missing piece is followed by the command that mends it", () => {
  const text = table([
    { name: "git", state: "ok", detail: "git version 2.39.5" },
    {
      name: "redis",
      state: "missing",
      detail: "redis-server is not installed",
      command: "apt-get install redis-server",
    },
  ]);
  expect(text).toMatch(/ok +git +git version 2\.39\.5\n/);
  expect(text).toMatch(
    /missing +redis +redis-server is not installed\n +mend it with: apt-get install redis-server\n/,
  );
});
