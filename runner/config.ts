import { readConfig, type Setting } from "#core/read-config";

export interface RunnerConfig {
  dataFolder: string;
  redisUrl: string;
  installation: string;
  /** Where this process reaches the controller: Git of workspaces goes there. */
  controllerUrl: string;
  engine: "docker" | "process";
  /** The process engine: the one user whose twins it runs. */
  onlyUser: string | undefined;
  /** The process engine: bubblewrap where it works, or nothing at all. */
  isolation: "auto" | "none";
  dockerHost: string | undefined;
  networkPool: string;
  /** Folder in memory for the values of secrets; absent: one in /dev/shm. */
  secretsFolder: string | undefined;
  metricsPort: number | undefined;
  logLevel: string;
  /** How this machine reaches package registries: proxies and pip settings, for builds only. */
  registrySettings: NodeJS.ProcessEnv;
}

const settings = {
  DTAAS_DATA: { required: true, says: "folder that controller and runner share" },
  REDIS_URL: { required: true, pattern: /^(rediss?|unix):\/\//, says: "redis://[:password@]host:port" },
  DTAAS_INSTALLATION: { required: true, pattern: /^[a-z0-9]{4,32}$/, says: "4-32 small letters and digits" },
  DTAAS_CONTROLLER_URL: {
    fallback: "http://127.0.0.1:8080",
    pattern: /^https?:\/\/[^\s/]+$/,
    says: "http(s)://host:port of the controller",
  },
  DTAAS_ENGINE: { fallback: "docker", pattern: /^(docker|process)$/, says: "docker or process" },
  DTAAS_PROCESS_USER: { says: "the one user whose twins the process engine runs" },
  DTAAS_ISOLATION: { fallback: "auto", pattern: /^(auto|none)$/, says: "auto or none" },
  DOCKER_HOST: { pattern: /^(unix|tcp):\/\//, says: "unix:///path or tcp://host:port" },
  DTAAS_NETWORK_POOL: {
    fallback: "10.213.0.0/16",
    pattern: /^[\d.]+\/\d+$/,
    says: "a private IPv4 range, CIDR",
  },
  DTAAS_SECRETS_FOLDER: { pattern: /^\//, says: "an absolute path in a tmpfs" },
  DTAAS_METRICS_PORT: { pattern: /^\d+$/, says: "a port number" },
  DTAAS_LOG_LEVEL: {
    fallback: "info",
    pattern: /^(trace|debug|info|warn|error|silent)$/,
    says: "a log level",
  },
} satisfies Record<string, Setting>;

/** Reads and checks the settings; throws one `ActionNeededError("CONFIG_INVALID")` that names every problem. */
export function readRunnerConfig(environment: NodeJS.ProcessEnv = process.env): RunnerConfig {
  const asked = environment["DTAAS_ENGINE"] === "process";
  const user = { ...settings.DTAAS_PROCESS_USER, required: asked };
  const values = readConfig({ ...settings, DTAAS_PROCESS_USER: user }, environment);
  return {
    dataFolder: values.DTAAS_DATA ?? "",
    redisUrl: values.REDIS_URL ?? "",
    installation: values.DTAAS_INSTALLATION ?? "",
    controllerUrl: values.DTAAS_CONTROLLER_URL ?? "",
    engine: values.DTAAS_ENGINE === "process" ? "process" : "docker",
    onlyUser: values.DTAAS_PROCESS_USER,
    isolation: values.DTAAS_ISOLATION === "none" ? "none" : "auto",
    dockerHost: values.DOCKER_HOST,
    networkPool: values.DTAAS_NETWORK_POOL ?? "",
    secretsFolder: values.DTAAS_SECRETS_FOLDER,
    metricsPort: values.DTAAS_METRICS_PORT === undefined ? undefined : Number(values.DTAAS_METRICS_PORT),
    logLevel: values.DTAAS_LOG_LEVEL ?? "info",
    registrySettings: environment,
  };
}
