import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { identifyProcess } from "#core/process-identity";
import type { Finding } from "#embedded/machine/finding";
import { thisMachine } from "#embedded/machine/machine";
import type { RedisFacts } from "#embedded/redis/read-redis";
import { lockFolder } from "../up/folder-lock.ts";
import { diagnose, engineToUse } from "./diagnose.ts";
import { json, table } from "./doctor-command.ts";
import { judgeDocker } from "./judge-docker.ts";
import { judgeHost, nodeVersion } from "./judge-host.ts";
import { judgeRedis, redisVersion } from "./judge-redis.ts";
import { judgeRunning, readRunning } from "./leftovers.ts";
import { judgeProcesses, type ProcessFacts } from "./process-engine.ts";
import type { DockerFacts } from "./read-docker.ts";
import type { HostFacts } from "./read-host.ts";

const gib = 1024 ** 3;
const nowMs = Date.parse("2026-06-01T12:00:00Z");

const host: HostFacts = {
  isRoot: false,
  node: "22.12.0",
  git: "git version 2.39.5",
  dataFolder: "/data",
  folderProblem: undefined,
  disk: { freeBytes: 50 * gib, freeInodes: 1_000_000, inodes: 2_000_000 },
  nowMs,
  clocks: [{ what: "the data folder", atMs: nowMs - 1_000, isOnlyPast: true }],
  ports: [{ what: "the API", port: 8080, isFree: true, isAsked: false }],
  watches: 100_000,
  instances: 128,
  apt: true,
  pip: "default",
};
const docker: DockerFacts = {
  address: "unix:///var/run/docker.sock",
  version: "20.10.24+dfsg1",
  os: "linux",
  isRemote: false,
  fileSystem: 0xef53,
  cgroupVersion: "2",
  limits: { memory: true, CPU: true, processes: true },
  securityOptions: ["name=seccomp,profile=default"],
  networkPool: "10.213.0.0/16",
  freeNetworks: 64,
  folder: "/var/lib/docker",
  freeBytes: 50 * gib,
  clockAheadMs: 200,
};
const redis: RedisFacts = {
  version: "7.0.15",
  maxmemoryPolicy: "noeviction",
  appendonly: "yes",
  save: "",
  clockAheadMs: 0,
};
const processes: ProcessFacts = {
  isRoot: false,
  bubblewrap: { version: "bubblewrap 0.8.0" },
  userNamespaces: true,
  python: "Python 3.11.2",
  pip: "pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)",
};

/** What is not good, as `state name`; each of it says what follows and what mends it. */
function wrong(findings: readonly Finding[]): string[] {
  return findings.flatMap((finding) => {
    if (finding.state === "ok") return [];
    expect(finding.means, finding.name).toMatch(/^\S.{10,}/);
    expect(finding.command, finding.name).not.toBe("");
    return [`${finding.state} ${finding.name}`];
  });
}

test("Node.js 20.19, 22.12 and newer are good, others are named as missing", () => {
  const states = ["20.18.3", "20.19.0", "21.7.0", "22.11.0", "22.12.0", "24.1.0", "18.20.0"].map(
    (version) => nodeVersion(version).state,
  );
  expect(states).toEqual(["missing", "ok", "missing", "missing", "ok", "ok", "missing"]);
});

test("a good machine has nothing to be mended", () => {
  const all = [
    ...judgeHost(host),
    ...judgeDocker(docker),
    ...judgeRedis(redis),
    ...judgeProcesses(processes),
    ...judgeRunning({ holder: 12, children: ["redis"], containers: 3 }),
  ];
  expect(wrong(all)).toEqual([]);
});

test.each<[string, Partial<HostFacts>, string[]]>([
  ["no git", { git: undefined }, ["missing git"]],
  ["an old git", { git: "git version 2.11.0" }, ["missing git"]],
  [
    "a path that no engine can mount",
    { folderProblem: { detail: "a blank", means: "it cannot be mounted", command: "--data" } },
    ["missing data folder"],
  ],
  [
    "a disk that is nearly full",
    { disk: { freeBytes: 2 * gib, freeInodes: 1e6, inodes: 2e6 } },
    ["doubtful disk"],
  ],
  ["a full disk", { disk: { freeBytes: gib / 2, freeInodes: 1e6, inodes: 2e6 } }, ["missing disk"]],
  ["no inodes left", { disk: { freeBytes: 9 * gib, freeInodes: 10, inodes: 2e6 } }, ["doubtful inodes"]],
  ["a file system that counts no inodes", { disk: { freeBytes: 9 * gib, freeInodes: 0, inodes: 0 } }, []],
  ["a disk that is not told", { disk: undefined }, []],
  ["a clock that was set back", { nowMs: nowMs - 3_600_000 }, ["doubtful clock"]],
  ["a port that is taken and was not asked for", { ports: [taken(false)] }, []],
  ["a port that is taken and was asked for", { ports: [taken(true)] }, ["missing port 8080"]],
  ["few watchers", { watches: 100 }, ["doubtful watchers"]],
  ["no limit on watchers", { watches: undefined }, []],
  ["no sources of packages", { apt: false }, ["doubtful registries"]],
])("a machine with %s", (_title, change, expected) => {
  expect(wrong(judgeHost({ ...host, ...change }))).toEqual(expected);
});

function taken(isAsked: boolean): HostFacts["ports"][number] {
  return { what: "the API", port: 8080, isFree: false, isAsked };
}

test.each<[string, Partial<DockerFacts>, string[]]>([
  ["is too old", { version: "19.03.1" }, ["missing engine version"]],
  ["runs Windows containers", { os: "windows" }, ["missing engine version"]],
  ["is on another machine", { isRemote: true }, ["doubtful layers"]],
  ["has its data on NFS", { fileSystem: 0x6969 }, ["doubtful layers"]],
  ["cannot limit memory", { limits: { memory: false, CPU: true, processes: true } }, ["doubtful limits"]],
  ["filters no system calls", { securityOptions: [] }, ["doubtful seccomp"]],
  ["has its filter off", { securityOptions: ["name=seccomp,profile=unconfined"] }, ["doubtful seccomp"]],
  ["has few networks left", { freeNetworks: 3 }, ["doubtful networks"]],
  ["has no network left", { freeNetworks: 0 }, ["missing networks"]],
  ["has no room for images", { freeBytes: gib }, ["doubtful image disk"]],
  ["keeps images where nobody sees them", { freeBytes: undefined }, []],
  ["has another time", { clockAheadMs: -60_000 }, ["doubtful engine clock"]],
])("an engine that %s", (_title, change, expected) => {
  expect(wrong(judgeDocker({ ...docker, ...change }))).toEqual(expected);
});

test.each<[string, Partial<RedisFacts>, string[]]>([
  ["is too old", { version: "6.0.16" }, ["missing redis version"]],
  ["drops jobs", { maxmemoryPolicy: "allkeys-lru" }, ["missing redis policy"]],
  [
    "does not tell",
    { maxmemoryPolicy: undefined, appendonly: undefined, save: undefined },
    ["doubtful redis policy", "doubtful redis data"],
  ],
  ["keeps nothing", { appendonly: "no" }, ["doubtful redis data"]],
  ["keeps snapshots", { appendonly: "no", save: "3600 1" }, []],
])("a Redis that %s", (_title, change, expected) => {
  expect(wrong(judgeRedis({ ...redis, ...change }))).toEqual(expected);
});

test("the version of our own Redis counts as well", () => {
  expect(["5.0.14", "6.2.6", "7.0.15", "10.0.0"].map((version) => redisVersion(version).state)).toEqual([
    "missing",
    "ok",
    "ok",
    "ok",
  ]);
});

test.each<[string, Partial<ProcessFacts>, string[]]>([
  ["no bubblewrap", { bubblewrap: { reason: "it is not installed" } }, ["doubtful bubblewrap"]],
  ["no namespaces", { userNamespaces: false }, ["doubtful namespaces"]],
  ["no namespaces, as root", { userNamespaces: false, isRoot: true }, []],
  ["no Python", { python: undefined, pip: undefined }, ["doubtful python", "doubtful pip"]],
])("twins as processes of a machine with %s", (_title, change, expected) => {
  expect(wrong(judgeProcesses({ ...processes, ...change }))).toEqual(expected);
});

test("what a killed start left behind is found by the process itself, not by its number", async () => {
  const folder = await mkdtemp(join(tmpdir(), "doctor-"));
  const containers = async () => 2;
  try {
    expect(judgeRunning(await readRunning(folder, containers))).toMatchObject([{ state: "ok" }]);
    await writeJsonAtomic(join(folder, "processes/redis.json"), identifyProcess(process.pid));
    await writeJsonAtomic(join(folder, "processes/forge.json"), { pid: process.pid, startTicks: 1 });
    await writeJsonAtomic(join(folder, "secrets.json"), { installation: "abcdef" });
    const left = await readRunning(folder, containers);
    expect(left).toEqual({ holder: undefined, children: ["redis"], containers: 2 });
    expect(wrong(judgeRunning(left))).toEqual(["doubtful leftovers"]);
    const lock = await lockFolder(folder);
    expect(judgeRunning(await readRunning(folder, containers))).toEqual([
      { name: "platform", state: "ok", detail: `up, process ${process.pid}` },
    ]);
    await lock.release();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("processes are looked at only where they are asked for, or no engine can be had", () => {
  const ok: Finding = { name: "engine", state: "ok", detail: "" };
  const stuck: Finding = { name: "engine", state: "missing", detail: "", command: "sudo" };
  const mendable: Finding = { ...stuck, remedy: { packages: [], mend: async () => undefined } };
  const none = { engine: undefined, dockerHost: undefined };
  expect([ok, mendable, stuck, undefined].map((found) => engineToUse(none, found))).toEqual([
    "docker",
    "docker",
    "process",
    "process",
  ]);
  expect(engineToUse({ ...none, engine: "process" }, ok)).toBe("process");
  expect(engineToUse({ ...none, dockerHost: "unix:///x" }, stuck)).toBe("docker");
});

test("the process engine's machine is looked at from end to end, and nothing of a container engine is asked for", async () => {
  const folder = await mkdtemp(join(tmpdir(), "doctor-"));
  const machine = { ...thisMachine({ HOME: folder }, folder), engineSocket: join(folder, "none.sock") };
  try {
    const { engine, findings } = await diagnose(
      {
        dataFolder: folder,
        port: undefined,
        forgePort: undefined,
        environment: { HOME: folder },
        engine: "process",
        dockerHost: undefined,
      },
      machine,
    );
    expect(engine).toBe("process");
    const names = findings.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["node", "git", "disk", "redis", "bubblewrap", "python", "platform"]),
    );
    expect(names).not.toContain("engine");
    expect(names).not.toContain("base-image");
    expect(new Set(names).size).toBe(names.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const shown: Finding[] = [
  { name: "git", state: "ok", detail: "git version 2.39.5", means: "not told, all is well" },
  {
    name: "redis",
    state: "missing",
    detail: "redis-server is not installed",
    means: "nothing can be queued",
    command: "apt-get install redis-server",
    remedy: { packages: [], mend: async () => undefined },
  },
];

test("each missing piece is followed by what it means and the command that mends it", () => {
  const text = table(shown);
  expect(text).toMatch(/ok +git +git version 2\.39\.5\n/);
  expect(text).toMatch(
    /missing +redis +redis-server is not installed\n +nothing can be queued\n +mend it with: apt-get install redis-server\n/,
  );
});

test("as JSON it says the same, and which engine it is about", () => {
  expect(JSON.parse(json({ engine: "docker", findings: shown }))).toEqual({
    engine: "docker",
    findings: [
      { name: "git", state: "ok", detail: "git version 2.39.5", means: "not told, all is well" },
      {
        name: "redis",
        state: "missing",
        detail: "redis-server is not installed",
        means: "nothing can be queued",
        command: "apt-get install redis-server",
      },
    ],
  });
});
