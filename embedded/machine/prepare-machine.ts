import { ActionNeededError } from "#core/errors";
import { adoptDockerd, type StartedEngine } from "../engine/start-dockerd.ts";
import { aptInstall } from "./apt.ts";
import type { Finding, FoundMissing } from "./finding.ts";
import { lookForBaseImage } from "./look-for-base-image.ts";
import { lookForEngine } from "./look-for-engine.ts";
import { lookForRedis } from "./look-for-redis.ts";
import { commandEnvironment, type Machine, machineEngine } from "./machine.ts";

export interface PreparedMachine {
  findings: Finding[];
  /** The engine that preparing has started, or taken over from a start that was ended by force; else `undefined`. */
  engine: StartedEngine | undefined;
  /** Stops what preparing has started. Containers of others keep the engine up; they are named. */
  stop(): Promise<{ engineKeptFor: string[] }>;
}

export interface PreparingTalk {
  /** Asked once, before anything is installed. `false` ends the preparing with `ActionNeededError("INSTALL_DECLINED")`. */
  approve(packages: { needed: string[]; perhaps: string[] }): Promise<boolean>;
  /** A stage begins; the returned function gets its lines. */
  stage(name: string): (line: string) => void;
  /** The stage that began last has ended well. */
  done(detail: string): void;
}

/** What the platform is to find: all of it, or all but a container engine, where twins run as processes. */
export type MachineNeeds = "everything" | "no engine";

/** Looks at everything the platform needs, changes nothing. */
export async function inspectMachine(
  machine: Machine,
  onStarted: (engine: StartedEngine) => void = () => {},
  needs: MachineNeeds = "everything",
): Promise<Finding[]> {
  if (needs === "no engine") return [await lookForRedis(machine)];
  return [
    await lookForRedis(machine),
    await lookForEngine(machine, onStarted),
    await lookForBaseImage(machine),
  ];
}

/**
 * Makes this machine ready for the platform: Redis, a container engine that runs, the base image. What is there is left as it is, so a
 * second call finds nothing to do. What only a person can mend is `ActionNeededError("MACHINE_NOT_READY")` with a line for each piece.
 */
export async function prepareMachine(
  machine: Machine,
  talk: PreparingTalk,
  needs: MachineNeeds = "everything",
): Promise<PreparedMachine> {
  let engine = await adoptDockerd({
    address: machineEngine(machine),
    folder: machine.engineFolder,
    hasSystemd: machine.hasSystemd,
    environment: commandEnvironment(machine),
  });
  const onStarted = (started: StartedEngine): void => {
    engine = started;
  };
  const findings = await inspectMachine(machine, onStarted, needs);
  const missing = findings.filter((finding) => finding.state === "missing");
  refuseWhatNeedsAPerson(missing);
  await installAll(machine, talk, missing);
  for (const finding of findings) {
    if (finding.state === "ok") {
      talk.stage(finding.name);
      talk.done(finding.detail);
    }
  }
  const stop = async () => ({ engineKeptFor: (await engine?.stop())?.keptFor ?? [] });
  try {
    for (const finding of missing) {
      const onLine = talk.stage(finding.name);
      await finding.remedy?.mend(onLine);
      talk.done("ready");
    }
    const after = missing.length === 0 ? findings : await inspectMachine(machine, undefined, needs);
    refuseWhatNeedsAPerson(after.filter((finding) => finding.state === "missing").map(withoutRemedy));
    return { findings: after, engine, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function refuseWhatNeedsAPerson(missing: FoundMissing[]): void {
  const stuck = missing.filter((finding) => finding.remedy === undefined);
  if (stuck.length === 0) return;
  const lines = stuck.map((finding) => `${finding.name}: ${finding.detail}`);
  const commands = [...new Set(stuck.map((finding) => finding.command))];
  throw new ActionNeededError("MACHINE_NOT_READY", lines.join("\n"), { hint: commands.join("\n") });
}

async function installAll(machine: Machine, talk: PreparingTalk, missing: FoundMissing[]): Promise<void> {
  const needed = missing.flatMap((finding) => finding.remedy?.packages ?? []);
  const perhaps = missing.flatMap((finding) => finding.remedy?.perhaps ?? []);
  if (needed.length === 0 && perhaps.length === 0) return;
  if (!(await talk.approve({ needed, perhaps }))) {
    throw new ActionNeededError("INSTALL_DECLINED", "nothing was installed", {
      hint: missing.map((finding) => finding.command).join("\n"),
    });
  }
  if (needed.length === 0) return;
  const onLine = talk.stage("packages");
  await aptInstall(needed, { environment: commandEnvironment(machine), onLine });
  talk.done(needed.join(", "));
}

function withoutRemedy(finding: FoundMissing): FoundMissing {
  const { name, state, detail, command } = finding;
  return { name, state, detail, command };
}
