import type { Finding } from "#embedded/machine/finding";
import type { DockerFacts } from "./read-docker.ts";

const leastVersion = [20, 10] as const; // Debian 12 has it, and all is tried with it
const fewNetworks = 8; // each user takes one, and builds another
const gib = 1024 ** 3;
const leastFreeBytes = 2 * gib; // the base image and one workspace image
const clockSlackMs = 5_000; // health and times of runs are compared with ours

// File systems that cannot hold the upper side of an overlay, by their number in statfs.
const noOverlayOn: Readonly<Record<number, string>> = {
  2035054128: "an overlay itself",
  26985: "NFS",
  1702057286: "FUSE",
  16914839: "9p",
};

/** What the container engine that answers can do. Pure. */
export function judgeDocker(facts: DockerFacts): Finding[] {
  return [
    version(facts),
    overlay(facts),
    cgroups(facts),
    seccomp(facts),
    networks(facts),
    images(facts),
    clock(facts),
  ];
}

function version({ version: text, os }: DockerFacts): Finding {
  const name = "engine version";
  const [major = 0, minor = 0] = text.split(".").map(Number.parseFloat);
  const isOld = major < leastVersion[0] || (major === leastVersion[0] && minor < leastVersion[1]);
  if (!isOld && os === "linux") return { name, state: "ok", detail: `Docker ${text}, Linux containers` };
  const detail =
    os === "linux" ? `Docker ${text} is older than ${leastVersion.join(".")}` : `it runs ${os} containers`;
  const means = "twins may not start, or not be kept apart";
  return { name, state: "missing", detail, means, command: "install Docker 20.10 or newer for Linux" };
}

function overlay({ isRemote, fileSystem, address }: DockerFacts): Finding {
  const name = "layers";
  if (isRemote) {
    return {
      name,
      state: "doubtful",
      detail: `the engine at ${address} is on another machine`,
      means: "it mounts folders of its own machine: the data folder must be there, too, at the same path",
      command: "unset DOCKER_HOST, or run the platform beside the engine",
    };
  }
  const bad = noOverlayOn[fileSystem];
  if (bad === undefined)
    return { name, state: "ok", detail: "overlays, tried for real when the runner starts" };
  return {
    name,
    state: "doubtful",
    detail: `the data folder lies on ${bad}, which cannot hold overlays`,
    means: "each layer is a plain copy of its repository, which costs time and room",
    command: "npm start -- --data <folder on ext4, xfs or btrfs>",
  };
}

function cgroups({ limits, cgroupVersion }: DockerFacts): Finding {
  const name = "limits";
  const lacking = Object.entries(limits).flatMap(([what, has]) => (has ? [] : [what]));
  if (lacking.length === 0) {
    return { name, state: "ok", detail: `memory, CPU and processes, by cgroups version ${cgroupVersion}` };
  }
  return {
    name,
    state: "doubtful",
    detail: `the engine cannot limit ${lacking.join(", ")}`,
    means: "one twin may take all of it from the others",
    command: "docker info, and switch these cgroups on in the kernel's command line: cgroup_enable=memory",
  };
}

function seccomp({ securityOptions }: DockerFacts): Finding {
  const name = "seccomp";
  if (securityOptions.some((option) => /name=seccomp/.test(option) && !/profile=unconfined/.test(option))) {
    return { name, state: "ok", detail: "system calls of twins are filtered" };
  }
  return {
    name,
    state: "doubtful",
    detail: "the engine filters no system calls",
    means: "a hole in the kernel is open to every twin",
    command: 'remove "seccomp-profile" from /etc/docker/daemon.json and restart Docker',
  };
}

function networks({ freeNetworks, networkPool }: DockerFacts): Finding {
  const name = "networks";
  const detail = `${freeNetworks} free in ${networkPool}`;
  if (freeNetworks >= fewNetworks) return { name, state: "ok", detail };
  const means = "each user's twins are in a network of their own; one more user finds none";
  const command = "docker network prune, or DTAAS_NETWORK_POOL with a larger private range";
  return { name, state: freeNetworks === 0 ? "missing" : "doubtful", detail, means, command };
}

function images({ freeBytes, folder }: DockerFacts): Finding {
  const name = "image disk";
  if (freeBytes === undefined) return { name, state: "ok", detail: `${folder} is not to be seen from here` };
  const detail = `${(freeBytes / gib).toFixed(1)} GB free for ${folder}`;
  if (freeBytes >= leastFreeBytes) return { name, state: "ok", detail };
  const means = "workspace images cannot be built";
  return { name, state: "doubtful", detail, means, command: "docker image prune" };
}

function clock({ clockAheadMs }: DockerFacts): Finding {
  const name = "engine clock";
  const seconds = (Math.abs(clockAheadMs) / 1000).toFixed(0);
  if (Math.abs(clockAheadMs) <= clockSlackMs) return { name, state: "ok", detail: "as ours" };
  const detail = `it is ${seconds} s ${clockAheadMs > 0 ? "ahead of" : "behind"} ours`;
  const means = "times of runs and the age of what was observed are wrong";
  return {
    name,
    state: "doubtful",
    detail,
    means,
    command: "sudo timedatectl set-ntp true, on both machines",
  };
}
