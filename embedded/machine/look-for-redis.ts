import { messageOf } from "#core/errors";
import { findCommand } from "../processes/find-command.ts";
import { runCommand } from "../processes/run-command.ts";
import { pingRedis } from "../redis/ping-redis.ts";
import { installCommand } from "./apt.ts";
import type { Finding } from "./finding.ts";
import { commandEnvironment, type Machine } from "./machine.ts";

const name = "redis";
const answerMs = 5_000;

/** `REDIS_URL` when that is given, else a `redis-server` that we can start ourselves. */
export async function lookForRedis(machine: Machine): Promise<Finding> {
  const url = machine.environment["REDIS_URL"];
  if (url) return lookAtGiven(url);
  const binary = await findCommand("redis-server", machine.searchPath);
  if (binary !== undefined) {
    const shown = await runCommand(binary, ["--version"], {
      environment: commandEnvironment(machine),
      deadlineMs: answerMs,
    });
    const version = /v=(\S+)/.exec(shown.stdout)?.[1];
    if (version !== undefined) return { name, state: "ok", detail: `redis-server ${version}` };
  }
  const packages = ["redis-server"];
  const missing: Finding = {
    name,
    state: "missing",
    detail: "redis-server is not installed, and REDIS_URL is not set",
    command: installCommand(packages, machine.isRoot),
  };
  return machine.isRoot ? { ...missing, remedy: { packages, mend: async () => {} } } : missing;
}

async function lookAtGiven(url: string): Promise<Finding> {
  try {
    const { version } = await pingRedis(url, answerMs);
    return { name, state: "ok", detail: `Redis ${version} at REDIS_URL` };
  } catch (error) {
    return {
      name,
      state: "missing",
      detail: `Redis at REDIS_URL does not answer: ${messageOf(error)}`,
      command: "unset REDIS_URL",
    };
  }
}
