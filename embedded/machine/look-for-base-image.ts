import { ActionNeededError, messageOf } from "#core/errors";
import type { EngineAddress } from "../engine/engine-address.ts";
import { pingEngine } from "../engine/ping-engine.ts";
import { findCommand } from "../processes/find-command.ts";
import { aptInstall, installCommand } from "./apt.ts";
import { baseImage, bootstrapBaseImage, hasBaseImage, pullBaseImage } from "./base-image.ts";
import type { Finding, FoundMissing } from "./finding.ts";
import { commandEnvironment, type Machine, machineEngine } from "./machine.ts";

const name = "base-image";

/** The image that all workspace images start from: pulled where a registry can be reached, else made from the machine's Debian mirror. */
export async function lookForBaseImage(machine: Machine): Promise<Finding> {
  const address = machineEngine(machine);
  const engineUp = (await pingEngine(address)).state === "up";
  if (engineUp && (await hasBaseImage(address))) return { name, state: "ok", detail: baseImage.name };
  const hasDebootstrap = (await findCommand("debootstrap", machine.searchPath)) !== undefined;
  const missing: FoundMissing = {
    name,
    state: "missing",
    detail: engineUp
      ? `the engine has no image ${baseImage.name}`
      : `${baseImage.name} cannot be looked for before an engine runs`,
    command: machine.isRoot ? "npx dtaas doctor --fix" : "sudo npx dtaas doctor --fix",
  };
  const mend = (onLine: (line: string) => void) => mendBaseImage(machine, address, onLine);
  if (machine.isRoot) {
    return {
      ...missing,
      remedy: { packages: [], ...(hasDebootstrap ? {} : { perhaps: ["debootstrap"] }), mend },
    };
  }
  return engineUp ? { ...missing, remedy: { packages: [], mend } } : missing; // a pull needs no root
}

async function mendBaseImage(
  machine: Machine,
  address: EngineAddress,
  onLine: (line: string) => void,
): Promise<void> {
  if (await hasBaseImage(address)) return;
  onLine("pulling");
  const outcome = await pullBaseImage(address, onLine);
  if (outcome.pulled) return;
  if (!machine.isRoot) {
    throw new ActionNeededError(
      "BASE_IMAGE_MISSING",
      `no registry can be reached (${outcome.reason}), and making it needs root`,
      {
        hint: "sudo npx dtaas doctor --fix",
      },
    );
  }
  const environment = commandEnvironment(machine);
  if ((await findCommand("debootstrap", machine.searchPath)) === undefined) {
    onLine("no registry can be reached; installing debootstrap");
    await aptInstall(["debootstrap"], { environment, onLine });
  }
  onLine("no registry can be reached; making it from this machine's Debian mirror");
  try {
    await bootstrapBaseImage({ address, environment, onLine });
  } catch (error) {
    if (error instanceof ActionNeededError) throw error;
    throw new ActionNeededError(
      "BASE_IMAGE_NOT_MADE",
      `the base image could not be made: ${messageOf(error)}`,
      {
        hint: installCommand(["debootstrap"], true),
        cause: error,
      },
    );
  }
}
