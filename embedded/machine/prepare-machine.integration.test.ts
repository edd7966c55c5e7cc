import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { pingEngine } from "../engine/ping-engine.ts";
import { systemPath } from "../processes/find-command.ts";
import { startRedis } from "../redis/start-redis.ts";
import type { FoundMissing } from "./finding.ts";
import { type Machine, machineEngine, thisMachine } from "./machine.ts";
import { inspectMachine, type PreparingTalk, prepareMachine } from "./prepare-machine.ts";

let folder = "";
let commands = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "machine-"));
  commands = join(folder, "bin");
  await mkdir(commands);
});

/** This machine as it is, with an engine folder of the test. */
function real(): Machine {
  return thisMachine(process.env, join(folder, "engine"));
}

/** A machine on which only those commands exist that the test writes, with an engine socket of its own. */
function bare(more: Partial<Machine> = {}): Machine {
  return {
    environment: {},
    isRoot: true,
    hasSystemd: false,
    searchPath: commands,
    engineSocket: join(folder, "engine.sock"),
    engineFolder: join(folder, "engine"),
    ...more,
  };
}

function talk(answer = true) {
  const said: string[] = [];
  const asked: { needed: string[]; perhaps: string[] }[] = [];
  const talking: PreparingTalk = {
    approve: async (packages) => {
      asked.push(packages);
      return answer;
    },
    stage: (name) => {
      said.push(name);
      return () => {};
    },
    done: (detail) => said.push(detail),
  };
  return { said, asked, talking };
}

async function command(name: string, text: string): Promise<void> {
  await writeFile(join(commands, name), text);
  await chmod(join(commands, name), 0o755);
}

/** An apt whose lists are empty until `update`, and that then "installs" a redis-server and a dockerd. */
async function fakeApt(): Promise<void> {
  await command(
    "apt-get",
    `#!/bin/sh
PATH=${systemPath}
here=${folder}
echo "$*" >>$here/apt.log
for word in "$@"; do
  case $word in
    update) touch $here/updated ;;
    install) test -e $here/updated || { echo "E: Unable to locate package"; exit 100; }
      cp $here/redis-server $here/dockerd ${commands}/ ;;
  esac
done
`,
  );
  await writeFile(join(folder, "redis-server"), "#!/bin/sh\necho 'Redis server v=9.9.9'\n", { mode: 0o755 });
  await writeFile(join(folder, "dockerd"), fakeDockerd, { mode: 0o755 });
}

/** Answers like an engine that has the base image and runs nothing. */
const fakeDockerd = `#!${process.execPath}
const socket = process.argv[process.argv.indexOf("--host") + 1].replace("unix://", "");
const answers = { "/version": { Version: "9.9" }, "/containers/json": [] };
const image = { Config: { Labels: { "dtaas.base": "bookworm" } } };
const server = require("node:http").createServer((request, response) => {
  response.end(JSON.stringify(request.url.startsWith("/images/") ? image : answers[request.url]));
});
server.listen(socket);
process.on("SIGTERM", () => process.exit(0));
`;

// `npm test` says why, where no container engine can be had; never under CI.
const withoutEngine = process.env["CI"] !== "true" && process.env["DTAAS_TESTS_WITHOUT_ENGINE"] !== undefined;

test.skipIf(withoutEngine)(
  "a machine that has everything is left as it is, however often it is prepared",
  async () => {
    for (const attempt of [1, 2]) {
      const { asked, talking } = talk();
      const prepared = await prepareMachine(real(), talking);
      expect(
        prepared.findings.map(({ name, state }) => `${name} ${state}`),
        `attempt ${attempt}`,
      ).toEqual(["redis ok", "engine ok", "base-image ok"]);
      expect(asked).toEqual([]);
      await prepared.stop();
      expect((await pingEngine(machineEngine(real()))).state).toBe("up");
    }
  },
);

test("on a bare machine it asks once, fetches stale lists, installs, starts the engine, and stops it at the end", async () => {
  await fakeApt();
  const { asked, talking } = talk();
  const prepared = await prepareMachine(bare(), talking);
  expect(asked).toEqual([{ needed: ["redis-server", "docker.io", "iptables"], perhaps: ["debootstrap"] }]);
  expect(prepared.findings.every(({ state }) => state === "ok")).toBe(true);
  const apt = (await readFile(join(folder, "apt.log"), "utf8")).trim().split("\n");
  expect(apt).toHaveLength(3); // refused, update, install
  expect(apt[2]).toMatch(/-y .*--no-install-recommends install redis-server docker\.io iptables$/);
  expect((await pingEngine(machineEngine(bare()))).state).toBe("up");
  expect(await prepared.stop()).toEqual({ engineKeptFor: [] });
  expect((await pingEngine(machineEngine(bare()))).state).toBe("absent");
});

test("an engine that a crashed start left behind is taken over and stopped at the end", async () => {
  await fakeApt();
  await prepareMachine(bare(), talk().talking);
  const memory = join(folder, "engine", "dockerd.json");
  const kept = JSON.parse(await readFile(memory, "utf8")) as { owner: { startTicks: number } };
  kept.owner.startTicks = 1; // as if its owner were of another life
  await writeFile(memory, JSON.stringify(kept));
  const { asked, talking } = talk();
  const prepared = await prepareMachine(bare(), talking);
  expect(asked).toEqual([]);
  await prepared.stop();
  expect((await pingEngine(machineEngine(bare()))).state).toBe("absent");
});

test("whoever says no gets nothing installed and is told what to type", async () => {
  await fakeApt();
  await expect(prepareMachine(bare(), talk(false).talking)).rejects.toMatchObject({
    code: "INSTALL_DECLINED",
    hint: expect.stringContaining("apt-get install -y --no-install-recommends redis-server"),
  });
  await expect(readFile(join(folder, "apt.log"))).rejects.toThrow("ENOENT");
});

test("without root nothing is tried: every missing piece and its sudo command are told at once", async () => {
  await expect(prepareMachine(bare({ isRoot: false }), talk().talking)).rejects.toMatchObject({
    code: "MACHINE_NOT_READY",
    message: expect.stringMatching(/redis-server is not installed[\s\S]*no Docker engine is installed/),
    hint: expect.stringMatching(
      /sudo apt-get install .*redis-server[\s\S]*sudo apt-get install .*docker\.io/,
    ),
  });
});

test("an apt that fails is told in its own words, without a stack trace", async () => {
  await command("apt-get", "#!/bin/sh\necho 'E: Temporary failure resolving the mirror'\nexit 100\n");
  await expect(prepareMachine(bare(), talk().talking)).rejects.toMatchObject({
    code: "APT_FAILED",
    message: expect.stringContaining("Temporary failure resolving the mirror"),
    hint: expect.stringContaining("apt-get update"),
  });
});

test("an engine that does not start is told with the last words of its log", async () => {
  await command("redis-server", "#!/bin/sh\necho 'Redis server v=9.9.9'\n");
  await command("dockerd", "#!/bin/sh\necho 'level=fatal msg=\"no iptables\"'\nexit 1\n");
  await expect(prepareMachine(bare(), talk().talking)).rejects.toMatchObject({
    code: "ENGINE_NOT_STARTED",
    message: expect.stringContaining("no iptables"),
  });
});

test("a REDIS_URL that answers is taken; one that does not is an error, and no other Redis is put in its place", async () => {
  const redis = await startRedis({ folder: join(folder, "redis") });
  const [good] = await inspectMachine(bare({ environment: { REDIS_URL: redis.url } }));
  expect(good).toMatchObject({ name: "redis", state: "ok", detail: expect.stringContaining("at REDIS_URL") });
  await redis.stop();
  const [bad] = await inspectMachine(bare({ environment: { REDIS_URL: redis.url } }));
  expect(bad).toMatchObject({ state: "missing", detail: expect.stringContaining("does not answer") });
  expect((bad as FoundMissing).remedy).toBeUndefined();
});

test("a DOCKER_HOST where nobody answers is an error, and no other engine is started in its place", async () => {
  const machine = bare({ environment: { DOCKER_HOST: `unix://${folder}/nobody.sock` } });
  const [, engine] = await inspectMachine(machine);
  expect(engine).toMatchObject({ state: "missing", command: "unset DOCKER_HOST" });
  expect((engine as FoundMissing).remedy).toBeUndefined();
});

test("a machine where twins run as processes needs Redis and no engine", async () => {
  const redis = await startRedis({ folder: join(folder, "redis") });
  try {
    const machine = bare({ isRoot: false, environment: { REDIS_URL: redis.url } });
    const { asked, talking } = talk();
    const { findings } = await prepareMachine(machine, talking, "no engine");
    expect(findings.map(({ name, state }) => `${name} ${state}`)).toEqual(["redis ok"]);
    expect(asked).toEqual([]);
  } finally {
    await redis.stop();
  }
});
