import type { Finding } from "#embedded/machine/finding";
import type { RedisFacts } from "#embedded/redis/read-redis";

const leastVersion = [6, 2] as const; // what the queues' scripts are tried with

/** A Redis that somebody gave us with REDIS_URL; our own is set up as it must be. Pure. */
export function judgeRedis({ version, maxmemoryPolicy, appendonly, save }: RedisFacts): Finding[] {
  return [redisVersion(version), policy(maxmemoryPolicy), persistence(appendonly, save)];
}

/** Also for the program that we start ourselves. */
export function redisVersion(version: string): Finding {
  const name = "redis version";
  const [major = 0, minor = 0] = version.split(".").map(Number.parseFloat);
  if (major > leastVersion[0] || (major === leastVersion[0] && minor >= leastVersion[1])) {
    return { name, state: "ok", detail: `Redis ${version}` };
  }
  const detail = `Redis ${version} is older than ${leastVersion.join(".")}`;
  const means = "the queues may not work with it";
  return { name, state: "missing", detail, means, command: "apt-get install -y redis-server" };
}

function policy(maxmemoryPolicy: string | undefined): Finding {
  const name = "redis policy";
  if (maxmemoryPolicy === "noeviction") return { name, state: "ok", detail: "noeviction: no job is dropped" };
  const command = "redis-cli CONFIG SET maxmemory-policy noeviction";
  if (maxmemoryPolicy === undefined) {
    const detail = "the server does not tell what it drops when its memory is full";
    const means = "with another policy than noeviction, jobs vanish without a word";
    return { name, state: "doubtful", detail, means, command };
  }
  const detail = `${maxmemoryPolicy}: when its memory is full it drops jobs`;
  const means = "builds and looks that were asked for vanish without a word, until the timers find out";
  return { name, state: "missing", detail, means, command };
}

function persistence(appendonly: string | undefined, save: string | undefined): Finding {
  const name = "redis data";
  if (appendonly === "yes") return { name, state: "ok", detail: "append-only file" };
  if (save)
    return {
      name,
      state: "ok",
      detail: "snapshots",
      means: "what came after the last one is found by the timers",
    };
  const detail =
    appendonly === undefined ? "the server does not tell whether it keeps data" : "it keeps nothing";
  const means = "after a restart of it, nudges are lost, and work goes on up to a minute late";
  return { name, state: "doubtful", detail, means, command: "redis-cli CONFIG SET appendonly yes" };
}
