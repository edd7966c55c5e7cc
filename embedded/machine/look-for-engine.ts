import { pingEngine } from "../engine/ping-engine.ts";
import { type StartedEngine, startDockerd } from "../engine/start-dockerd.ts";
import { findCommand } from "../processes/find-command.ts";
import { installCommand } from "./apt.ts";
import type { Finding, FoundMissing } from "./finding.ts";
import { commandEnvironment, type Machine, machineEngine } from "./machine.ts";

const name = "engine";

/**
 * The engine at `DOCKER_HOST`, else at the default socket, else Debian's `dockerd`, to be started. What is started is told to `onStarted`.
 */
export async function lookForEngine(
  machine: Machine,
  onStarted: (engine: StartedEngine) => void,
): Promise<Finding> {
  const address = machineEngine(machine);
  const seen = await pingEngine(address);
  if (seen.state === "up") return { name, state: "ok", detail: `Docker ${seen.version} at ${address.text}` };
  const sudo = machine.isRoot ? "" : "sudo ";
  if (machine.environment["DOCKER_HOST"]) {
    return {
      name,
      state: "missing",
      detail: `no engine answers at DOCKER_HOST ${address.text}: ${seen.reason}`,
      command: "unset DOCKER_HOST",
    };
  }
  if (seen.state === "refused") {
    return {
      name,
      state: "missing",
      detail: `a Docker engine is there, and this user may not use it`,
      command: `sudo usermod -aG docker "$USER" && newgrp docker`,
    };
  }
  const installed = (await findCommand("dockerd", machine.searchPath)) !== undefined;
  const packages = installed ? [] : ["docker.io", "iptables"];
  const start = machine.hasSystemd
    ? `${sudo}systemctl start docker`
    : `${sudo}sh -c 'dockerd >/var/log/dockerd.log 2>&1 &'`;
  const missing: FoundMissing = {
    name,
    state: "missing",
    detail: installed ? "the Docker engine does not run" : "no Docker engine is installed",
    command: installed ? start : `${installCommand(packages, machine.isRoot)} && ${start}`,
  };
  if (!machine.isRoot) return missing;
  const mend = async (onLine: (line: string) => void): Promise<void> => {
    if ((await pingEngine(address)).state === "up") return; // its package has started it
    onLine("starting dockerd");
    onStarted(
      await startDockerd({
        address,
        folder: machine.engineFolder,
        hasSystemd: machine.hasSystemd,
        environment: commandEnvironment(machine),
      }),
    );
  };
  return { ...missing, remedy: { packages, mend } };
}
