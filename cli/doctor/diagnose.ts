import { readTextIfThere } from "#core/atomic-file";
import { messageOf } from "#core/errors";
import { callEngine } from "#embedded/engine/call-engine";
import type { Finding } from "#embedded/machine/finding";
import { type Machine, machineEngine } from "#embedded/machine/machine";
import { inspectMachine } from "#embedded/machine/prepare-machine";
import { findCommand } from "#embedded/processes/find-command";
import { readRedis } from "#embedded/redis/read-redis";
import type { EngineName, UpConfig } from "../up/config.ts";
import { furtherForgeFindings } from "./further-forge.ts";
import { judgeDocker } from "./judge-docker.ts";
import { judgeHost } from "./judge-host.ts";
import { judgeRedis, redisVersion } from "./judge-redis.ts";
import { judgeRunning, type RunningHere, readRunning } from "./leftovers.ts";
import { judgeProcesses, readProcessFacts } from "./process-engine.ts";
import { readDocker } from "./read-docker.ts";
import { readHost } from "./read-host.ts";

const answerMs = 10_000;

export interface Diagnosis {
  /** What twins would be started with now. */
  engine: EngineName;
  findings: Finding[];
}

/** Looks at everything the platform needs here, for the engine it would use. Changes nothing. */
export async function diagnose(
  config: Pick<UpConfig, "dataFolder" | "port" | "forgePort" | "environment" | "engine" | "dockerHost">,
  machine: Machine,
): Promise<Diagnosis> {
  const needs = await inspectMachine(
    machine,
    undefined,
    config.engine === "process" ? "no engine" : "everything",
  );
  const of = (name: string) => needs.find((finding) => finding.name === name);
  const engine = engineToUse(config, of("engine"));
  const running = await readRunning(config.dataFolder, (installation) =>
    countContainers(machine, installation),
  );
  const host = await readHost(config, machine, { engine, isUp: running.holder !== undefined });
  const redis = of("redis");
  return {
    engine,
    findings: [
      ...judgeHost(host),
      ...(redis ? [redis, ...(await redisFindings(config.environment["REDIS_URL"], redis))] : []),
      ...(engine === "docker" ? await dockerFindings(config, machine, needs) : []),
      ...(engine === "process" ? [...withoutEngine(of("engine")), ...(await processFindings(machine))] : []),
      ...(await furtherForgeFindings(config.environment)),
      ...judgeRunning(running),
    ],
  };
}

/** As `dtaas up` chooses: processes only where they are asked for, or where no container engine can be had. */
export function engineToUse(
  { engine, dockerHost }: Pick<UpConfig, "engine" | "dockerHost">,
  found: Finding | undefined,
): EngineName {
  if (engine !== undefined || dockerHost !== undefined) return engine ?? "docker";
  const canBeHad = found?.state === "ok" || (found?.state === "missing" && found.remedy !== undefined);
  return canBeHad ? "docker" : "process";
}

/** An engine that is missing where twins may be processes is no fault, and worth a word. */
function withoutEngine(found: Finding | undefined): Finding[] {
  if (found?.state !== "missing") return [];
  const means = "twins run as processes of this account, of one user, and less apart";
  return [{ name: "engine", state: "doubtful", detail: found.detail, means, command: found.command }];
}

async function dockerFindings(
  { dataFolder }: Pick<UpConfig, "dataFolder">,
  machine: Machine,
  needs: Finding[],
): Promise<Finding[]> {
  const found = needs.filter(({ name }) => name === "engine" || name === "base-image");
  const image = found.find(({ name }) => name === "base-image");
  if (image?.state === "missing") found.push(await debootstrap(machine));
  if (found.find(({ name }) => name === "engine")?.state !== "ok") return found;
  try {
    return [...found, ...judgeDocker(await readDocker(machine, dataFolder))];
  } catch (error) {
    const detail = `the engine answers, and does not tell about itself: ${messageOf(error)}`;
    const means = "whether it can do what twins need is not known";
    return [...found, { name: "engine facts", state: "doubtful", detail, means, command: "docker info" }];
  }
}

async function debootstrap(machine: Machine): Promise<Finding> {
  const name = "debootstrap";
  const path = await findCommand(name, machine.searchPath);
  if (path !== undefined) return { name, state: "ok", detail: `${path}, should no image registry answer` };
  const means = "where no image registry answers, the base image is made with it; npm start installs it then";
  const command = `${machine.isRoot ? "" : "sudo "}apt-get install -y debootstrap`;
  return { name, state: "doubtful", detail: "it is not installed", means, command };
}

async function redisFindings(url: string | undefined, found: Finding): Promise<Finding[]> {
  if (found.state !== "ok") return [];
  if (!url) {
    const version = /redis-server (\S+)/.exec(found.detail)?.[1];
    return version === undefined ? [] : [redisVersion(version)];
  }
  try {
    return judgeRedis(await readRedis(url, answerMs));
  } catch (error) {
    const detail = `it answers, and does not tell about itself: ${messageOf(error)}`;
    const means = "whether it keeps jobs is not known";
    return [{ name: "redis facts", state: "doubtful", detail, means, command: "redis-cli INFO server" }];
  }
}

async function processFindings(machine: Machine): Promise<Finding[]> {
  const read = (path: string) => readTextIfThere(path).catch(() => undefined);
  return judgeProcesses(await readProcessFacts(machine, read));
}

async function countContainers(machine: Machine, installation: string): Promise<RunningHere["containers"]> {
  const filters = JSON.stringify({ label: [`dtaas.installation=${installation}`] });
  const path = `/containers/json?filters=${encodeURIComponent(filters)}`;
  const answer = await callEngine(machineEngine(machine), { method: "GET", path, idleMs: answerMs });
  return answer.status === 200 ? (JSON.parse(answer.text) as unknown[]).length : 0;
}
