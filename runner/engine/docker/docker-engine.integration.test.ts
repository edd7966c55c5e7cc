import { randomBytes } from "node:crypto";
import Docker from "dockerode";
import { expect, test } from "vitest";
import { dockerForTests, initRecipe } from "#test/docker-for-tests";
import { engineContract } from "../engine-contract.ts";

const docker = new Docker({ socketPath: "/var/run/docker.sock" });
const available = await dockerForTests();

if (!available) test.skip("a Docker engine (there is none here)");
else {
  engineContract("docker", async () => {
    const installation = await available.installation();
    return {
      open: installation.open,
      imageId: (engine) => installation.image(engine),
      folder: installation.folder,
      commands: {
        forever: ["sleep", "infinity"],
        ignoresStop: ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
        exits: (code) => ["sh", "-c", `exit ${code}`],
        printsThree: ["sh", "-c", "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three"],
        printsOneForever: ["sh", "-c", "echo one; sleep infinity"],
        writes: (path, content) => [
          "sh",
          "-c",
          'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"',
          "sh",
          path,
          content,
        ],
        prints: (path) => ["cat", path],
        succeeds: ["true"],
        fails: ["false"],
        takesForever: ["sleep", "infinity"],
      },
      stranger: {
        kill: (id) => docker.getContainer(id).kill(),
        remove: (id) => docker.getContainer(id).remove({ force: true }),
        change: (id) => docker.getContainer(id).update({ PidsLimit: 99 }),
      },
      recipes: {
        good: async (hash) => {
          const recipe = await initRecipe(installation.baseId, hash);
          return {
            ...recipe,
            dockerfile: `${recipe.dockerfile}RUN echo building ${randomBytes(4).toString("hex")}\n`,
          };
        },
        bad: async (hash) => ({
          hash,
          dockerfile: `FROM ${installation.baseId}\nRUN echo oh no && exit 7\n`,
          files: {},
        }),
      },
      tearDown: installation.tearDown,
    };
  });

  test("installations do not see each other", async () => {
    const one = await available.installation();
    const other = await available.installation();
    const engine = one.open();
    const stranger = other.open();
    try {
      await engine.networks.ensure("user1");
      await engine.layers.ensure("layer", one.folder);
      await one.image(engine);
      expect(await engine.networks.list()).toEqual(["user1"]);
      expect(await stranger.networks.list()).toEqual([]);
      expect(await stranger.layers.list()).toEqual([]);
      expect(await stranger.images.list()).toEqual([]);
      expect(await stranger.containers.list()).toEqual([]);
    } finally {
      await one.tearDown();
      await other.tearDown();
    }
  });
}
