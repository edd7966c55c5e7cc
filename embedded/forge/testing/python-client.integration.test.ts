import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { forgeWorld } from "./forge-world.ts";

const run = promisify(execFile);
const python = "/usr/bin/python3"; // the distribution's own: another one would not see its packages
const script = fileURLToPath(new URL("./python-client.py", import.meta.url));
const missing = await whyMissing();
// Skipped out loud, and never under CI, where `npm test` has installed it.
if (missing && process.env["CI"] !== "true") console.warn(`NOT RUN: the test with python-gitlab. ${missing}`);

async function whyMissing(): Promise<string | undefined> {
  try {
    await run(python, ["-c", "import gitlab"]);
    return undefined;
  } catch {
    return `${python} has no python-gitlab; on Debian: apt-get install python3-gitlab`;
  }
}

test.skipIf(missing !== undefined && process.env["CI"] !== "true")(
  "a client that knows GitLab only, written by others, lists, pages, creates, commits and sets a status",
  async () => {
    expect(missing).toBeUndefined();
    const world = await forgeWorld();
    try {
      await world.forge.admin.seed({
        users: [
          { username: "root", name: "Administrator", admin: true },
          { username: "ada", name: "Ada" },
        ],
        members: [],
        projects: Array.from({ length: 45 }, (_, index) => ({ path: `plant/twin-${index}` })),
        tokens: [{ username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" }],
      });
      await world.forge.admin.ensureMember("plant", "ada", 50);
      const { stdout } = await run(python, ["-I", script, world.forge.url, "glpat-ada"], { env: {} });
      expect(JSON.parse(stdout)).toEqual({
        user: "ada",
        version: "19.3.0",
        first_page: 20,
        total: 45,
        all: 45,
        keyset: 45,
        commit: "from Python",
        statuses: [["dt/tank", "success", "healthy"]],
        raw: "a: 2\n",
        tree: ["twins", "readme.md", "twins/a b.yaml"],
        diff: ["twins/a b.yaml"],
        archive: "ustar",
        compare: [1, 1],
        branches: ["main", "side"],
        hook: true,
        bot: "made-by-python",
        description: "changed",
        missing: [404, "404 Project Not Found"],
      });
    } finally {
      await world.end();
    }
  },
);
