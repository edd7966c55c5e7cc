import { ActionNeededError } from "#core/errors";
import type { Machine } from "#embedded/machine/machine";
import { type PreparedMachine, type PreparingTalk, prepareMachine } from "#embedded/machine/prepare-machine";
import { probeBubblewrap } from "#runner/engine/process/bubblewrap";
import type { EngineName, UpConfig } from "./config.ts";

export interface PreparedEngine {
  engine: EngineName;
  prepared: PreparedMachine;
}

/**
 * Makes the machine ready, with a container engine where one can be had. Where not, twins run as processes of this
 * account, and it is said what that means; not where somebody asked for a container engine, or `mayFallBack` is false.
 */
export async function prepareEngine(
  config: Pick<UpConfig, "engine" | "dockerHost" | "environment">,
  machine: Machine,
  talk: PreparingTalk & { say(text: string): void; failed(detail: string): void },
  mayFallBack: () => Promise<boolean>,
): Promise<PreparedEngine> {
  if (config.engine !== "process") {
    try {
      return { engine: "docker", prepared: await prepareMachine(machine, talk) };
    } catch (error) {
      const isAsked = config.engine === "docker" || config.dockerHost !== undefined;
      if (!(error instanceof ActionNeededError) || isAsked || !(await mayFallBack())) throw error;
      talk.failed("no container engine");
      talk.say(`No container engine can be had: ${error.message.replaceAll("\n", "; ")} [${error.code}].`);
    }
  }
  const prepared = await prepareMachine(machine, talk, "no engine");
  talk.say(await whatIsNotIsolated(config.environment["DTAAS_ISOLATION"] === "none"));
  return { engine: "process", prepared };
}

/** One line: how twins that are processes are kept apart from this machine, and how not. */
async function whatIsNotIsolated(isOff: boolean): Promise<string> {
  const found = isOff ? { reason: "DTAAS_ISOLATION=none" } : await probeBubblewrap();
  if ("version" in found) {
    return (
      "Twins run as processes of this account in bubblewrap: they have their own processes, /tmp and /workspace; NOT " +
      "isolated are the network, CPU, memory, disk, and reading what this account may read of the system."
    );
  }
  return `Twins run as plain processes of this account and are NOT isolated: they may do whatever it may (${found.reason}).`;
}
