import type { Finding } from "#embedded/machine/finding";
import type { HostFacts } from "./read-host.ts";

const gib = 1024 ** 3;
const leastFreeBytes = gib; // below it the first image does not fit
const goodFreeBytes = 4 * gib; // the base image, some workspace images, logs and layers
const leastFreeInodes = 50_000; // one checkout of a large repository and a layer of it
const leastWatches = 8_192; // one for each open log or event stream, and what editors take beside us
const leastInstances = 64; // one for each process of ours, and for each of the user's other programs
const leastGit = [2, 20] as const; // partial reads and settings by environment that our calls use
const clockSlackMs = 5 * 60_000; // as far as signed deliveries may be off

/** What the machine itself has, for either engine. Pure: a line for each thing, in the order people mend them. */
export function judgeHost(facts: HostFacts): Finding[] {
  return [
    nodeVersion(facts.node),
    git(facts),
    folder(facts),
    disk(facts),
    inodes(facts),
    clock(facts),
    ...facts.ports.map(port),
    watchers(facts),
    registries(facts),
  ];
}

/** Node.js 20.19 or a newer even release. */
export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isGood = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (isGood) return { name: "node", state: "ok", detail: `Node.js ${version}` };
  return {
    name: "node",
    state: "missing",
    detail: `Node.js ${version} is too old or not supported: 20.19 or newer, 22.12 or newer`,
    means: "nothing of the platform is tried with it",
    command: "install Node.js 22 or 24",
  };
}

function git({ git: shown, isRoot }: HostFacts): Finding {
  const command = `${isRoot ? "" : "sudo "}apt-get install -y git`;
  const name = "git";
  if (shown === undefined) {
    return {
      name,
      state: "missing",
      detail: "git is not installed",
      means: "no repository can be fetched, and the embedded Git host cannot serve any",
      command,
    };
  }
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(shown) ?? []).map(Number);
  const isOld = major < leastGit[0] || (major === leastGit[0] && minor < leastGit[1]);
  if (!isOld) return { name, state: "ok", detail: shown };
  return {
    name,
    state: "missing",
    detail: `${shown} is older than ${leastGit.join(".")}`,
    means: "repositories cannot be read safely with it",
    command,
  };
}

function folder({ dataFolder, folderProblem }: HostFacts): Finding {
  const name = "data folder";
  if (folderProblem === undefined) return { name, state: "ok", detail: dataFolder };
  return { name, state: "missing", ...folderProblem };
}

function disk({ dataFolder, disk: space }: HostFacts): Finding {
  const name = "disk";
  const freed = "docker image prune, or --data on another disk";
  if (space === undefined) return { name, state: "ok", detail: "its size is not told here" };
  const detail = `${(space.freeBytes / gib).toFixed(1)} GB free for ${dataFolder}`;
  if (space.freeBytes < leastFreeBytes) {
    const means = "pushes and runs are refused with DISK_FULL until there is room";
    return { name, state: "missing", detail, means, command: freed };
  }
  if (space.freeBytes >= goodFreeBytes) return { name, state: "ok", detail };
  const means = "a few workspace images fill it; then pushes and runs are refused";
  return { name, state: "doubtful", detail, means, command: freed };
}

function inodes({ disk: space }: HostFacts): Finding {
  const name = "inodes";
  if (space === undefined || space.inodes === 0) {
    return { name, state: "ok", detail: "this file system does not count them" };
  }
  const detail = `${space.freeInodes} of ${space.inodes} free`;
  if (space.freeInodes >= leastFreeInodes) return { name, state: "ok", detail };
  const means = "each file of a checkout takes one; without any the disk is full with bytes to spare";
  return { name, state: "doubtful", detail, means, command: "du --inodes -xd1 / | sort -n | tail" };
}

function clock({ nowMs, clocks }: HostFacts): Finding {
  const name = "clock";
  const command = "sudo timedatectl set-ntp true";
  const off = clocks.find(({ atMs, isOnlyPast }) =>
    isOnlyPast ? nowMs < atMs - clockSlackMs : Math.abs(nowMs - atMs) > clockSlackMs,
  );
  if (off === undefined) return { name, state: "ok", detail: new Date(nowMs).toISOString() };
  const minutes = Math.round(Math.abs(nowMs - off.atMs) / 60_000);
  const detail = `it is ${minutes} min ${nowMs < off.atMs ? "behind" : "ahead of"} ${off.what}`;
  const means = "signed deliveries are refused outside of their window, and schedules and ages are wrong";
  return { name, state: "doubtful", detail, means, command };
}

function port({ what, port: number, isFree, isAsked }: HostFacts["ports"][number]): Finding {
  const name = `port ${number}`;
  if (isFree) return { name, state: "ok", detail: `free, for ${what}` };
  const command = `ss -ltnp 'sport = :${number}'`;
  if (!isAsked) {
    const detail = `somebody listens there already; another is taken for ${what}`;
    return { name, state: "ok", detail, means: "npm start prints the one it uses" };
  }
  const detail = `somebody listens there already, and it was asked for, for ${what}`;
  return { name, state: "missing", detail, means: "npm start ends with PORT_TAKEN", command };
}

function watchers({ watches, instances }: HostFacts): Finding {
  const name = "watchers";
  if (watches === undefined || instances === undefined) {
    return { name, state: "ok", detail: "this system does not limit them" };
  }
  const detail = `${watches} watches, ${instances} instances`;
  if (watches >= leastWatches && instances >= leastInstances) return { name, state: "ok", detail };
  const limits = `fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512`;
  const means = "followed logs and events come late, once others have used them up";
  return { name, state: "doubtful", detail, means, command: `sudo sysctl ${limits}` };
}

function registries({ apt, pip }: HostFacts): Finding {
  const name = "registries";
  const words = [
    apt ? "apt has sources" : "apt has none",
    pip === "default" ? "pip has its default index" : `pip is set to ${pip}`,
  ];
  const detail = words.join(", ");
  if (apt) return { name, state: "ok", detail, means: "image builds ask the same ones" };
  const means = "image builds reach for Debian's and pip's own addresses; behind a wall they fail";
  return { name, state: "doubtful", detail, means, command: "apt-get indextargets; pip config list" };
}
