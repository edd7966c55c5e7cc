import { resolve } from "node:path";
import { ActionNeededError } from "#core/errors";
import { readConfig, type Setting } from "#core/read-config";

export type EngineName = "docker" | "process";

export interface UpConfig {
  dataFolder: string;
  /** Absent: containers, and processes of this machine where no container engine can be had. */
  engine: EngineName | undefined;
  /** Absent: a redis-server of our own. */
  redisUrl: string | undefined;
  /** Absent: the default socket. */
  dockerHost: string | undefined;
  /** A port that was asked for is taken or refused, never replaced by another. */
  port: number | undefined;
  forgePort: number | undefined;
  logLevel: string;
  /** Install without asking. */
  yes: boolean;
  /** The whole environment: for preparing the machine, and to pick from for each child. */
  environment: Readonly<Record<string, string | undefined>>;
}

export interface UpOptions {
  data?: string;
  engine?: string;
  yes?: boolean;
}

const settings = {
  DTAAS_DATA: { fallback: ".dtaas", says: "the folder for everything the platform keeps" },
  DTAAS_PORT: { pattern: /^\d{1,5}$/, says: "a port number" },
  DTAAS_FORGE_PORT: { pattern: /^\d{1,5}$/, says: "a port number" },
  DTAAS_ENGINE: { pattern: /^(docker|process)$/, says: "docker or process" },
  REDIS_URL: { pattern: /^(rediss?|unix):\/\//, says: "redis://[:password@]host:port" },
  DOCKER_HOST: { pattern: /^(unix|tcp|http|https):\/\//, says: "unix:///path or tcp://host:port" },
  DTAAS_LOG_LEVEL: {
    fallback: "info",
    pattern: /^(trace|debug|info|warn|error|silent)$/,
    says: "a log level",
  },
} satisfies Record<string, Setting>;

/** Settings of `dtaas up` and `dtaas doctor`; options of the command line win. All problems are told at once. */
export function readUpConfig(
  options: UpOptions = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): UpConfig {
  const given = options.engine === undefined ? {} : { DTAAS_ENGINE: options.engine };
  const values = readConfig(settings, { ...environment, ...given });
  return {
    dataFolder: resolve(options.data ?? values.DTAAS_DATA ?? ".dtaas"),
    engine: engineName(values.DTAAS_ENGINE),
    redisUrl: values.REDIS_URL,
    dockerHost: values.DOCKER_HOST,
    port: portNumber("DTAAS_PORT", values.DTAAS_PORT),
    forgePort: portNumber("DTAAS_FORGE_PORT", values.DTAAS_FORGE_PORT),
    logLevel: values.DTAAS_LOG_LEVEL ?? "info",
    yes: options.yes ?? false,
    environment,
  };
}

function engineName(text: string | undefined): EngineName | undefined {
  return text === "docker" || text === "process" ? text : undefined;
}

function portNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (port >= 1 && port <= 65_535) return port;
  throw new ActionNeededError("CONFIG_INVALID", `${name} is ${text}, which is no port`, {
    hint: "give a number from 1 to 65535",
  });
}
