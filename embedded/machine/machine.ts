import { existsSync } from "node:fs";
import { defaultEngineSocket, type EngineAddress, engineAddress } from "../engine/engine-address.ts";
import { systemPath } from "../processes/find-command.ts";

/** What preparing has to know of the machine it runs on; tests say something else than what is. */
export interface Machine {
  /** `REDIS_URL`, `DOCKER_HOST`, proxies: read from, never handed on whole. */
  environment: Record<string, string | undefined>;
  isRoot: boolean;
  /** systemd is the init system, so that services are its to start. */
  hasSystemd: boolean;
  /** Where commands are looked for. */
  searchPath: string;
  /** Where an engine listens when `DOCKER_HOST` says nothing. */
  engineSocket: string;
  /** Log and process file of an engine that we start. */
  engineFolder: string;
}

/** This machine. */
export function thisMachine(environment: Record<string, string | undefined>, engineFolder: string): Machine {
  return {
    environment,
    isRoot: process.getuid?.() === 0,
    hasSystemd: existsSync("/run/systemd/system"),
    searchPath: systemPath,
    engineSocket: defaultEngineSocket,
    engineFolder,
  };
}

/** Where the engine of this machine is to be found. */
export function machineEngine(machine: Machine): EngineAddress {
  return engineAddress(machine.environment, machine.engineSocket);
}

const handedOn = [
  "HOME",
  "LANG",
  "TZ",
  "TMPDIR",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
];

/** The environment of commands that we run to prepare the machine. */
export function commandEnvironment(machine: Machine): Record<string, string> {
  const environment: Record<string, string> = { PATH: machine.searchPath };
  for (const name of handedOn) {
    const value = machine.environment[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
