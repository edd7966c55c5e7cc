import { publicKeyPattern } from "#core/age";
import { readConfig, type Setting } from "#core/read-config";

export interface ControllerConfig {
  dataFolder: string;
  redisUrl: string;
  httpHost: string;
  httpPort: number;
  /** Where people and the Git host reach this process. */
  publicUrl: string;
  forgeUrl: string;
  forgeToken: string;
  group: string;
  /** What ID tokens of jobs must be made out to: the public URL, and other addresses under which jobs reach this process. */
  ciAudiences: string[];
  /** From this the secrets of all hooks are derived. */
  webhookSecret: string;
  /** The runner's public key, to which secrets are sealed; absent: twins cannot have any. */
  runnerKey: string | undefined;
  /** Besides the Git host's own: where it keeps large files (Git LFS). */
  lfsOrigins: string[];
  resyncSeconds: number;
  /** What one fetch may add to a mirror. */
  maxFetchBytes: number;
  logLevel: string;
}

const httpUrl = /^https?:\/\/[^\s]+[^/]$/;

const settings = {
  DTAAS_DATA: { required: true, says: "folder that controller and runner share" },
  REDIS_URL: { required: true, pattern: /^(rediss?|unix):\/\//, says: "redis://[:password@]host:port" },
  DTAAS_HTTP_HOST: { fallback: "127.0.0.1", says: "address to listen on" },
  DTAAS_HTTP_PORT: { fallback: "8080", pattern: /^\d{1,5}$/, says: "a port number" },
  DTAAS_PUBLIC_URL: { required: true, pattern: httpUrl, says: "http(s) URL without a slash at the end" },
  DTAAS_FORGE_URL: {
    required: true,
    pattern: httpUrl,
    says: "http(s) URL of GitLab without a slash at the end",
  },
  DTAAS_FORGE_TOKEN: {
    required: true,
    pattern: /^\S{10,}$/,
    says: "access token of the platform's account, scope api",
  },
  DTAAS_FORGE_GROUP: { fallback: "dtaas", pattern: /^[\w.-]+(\/[\w.-]+)*$/, says: "path of a group" },
  DTAAS_CI_AUDIENCES: {
    fallback: "",
    pattern: /^([^\s,]+(,[^\s,]+)*)?$/,
    says: "further audiences of jobs' ID tokens, with commas between them",
  },
  DTAAS_WEBHOOK_SECRET: {
    required: true,
    pattern: /^\S{32,}$/,
    says: "at least 32 characters that nobody can guess",
  },
  DTAAS_RUNNER_KEY: { pattern: publicKeyPattern, says: "the runner's public key, age1..." },
  DTAAS_LFS_ORIGINS: {
    fallback: "",
    pattern: /^(https?:\/\/[^\s,/]+(,https?:\/\/[^\s,/]+)*)?$/,
    says: "http(s) origins without a slash at the end, with commas between them",
  },
  DTAAS_RESYNC_SECONDS: { fallback: "30", pattern: /^[1-9]\d{0,3}$/, says: "seconds, 1 to 9999" },
  DTAAS_MAX_FETCH_MIB: { fallback: "4096", pattern: /^[1-9]\d{0,6}$/, says: "MiB, 1 to 9999999" },
  DTAAS_LOG_LEVEL: {
    fallback: "info",
    pattern: /^(trace|debug|info|warn|error|silent)$/,
    says: "a log level",
  },
} satisfies Record<string, Setting>;

/** Reads and checks the settings; throws one `ActionNeededError("CONFIG_INVALID")` that names every problem. */
export function readControllerConfig(environment: NodeJS.ProcessEnv = process.env): ControllerConfig {
  const values = readConfig(settings, environment);
  const text = (name: keyof typeof settings) => values[name] ?? "";
  return {
    dataFolder: text("DTAAS_DATA"),
    redisUrl: text("REDIS_URL"),
    httpHost: text("DTAAS_HTTP_HOST"),
    httpPort: Number(text("DTAAS_HTTP_PORT")),
    publicUrl: text("DTAAS_PUBLIC_URL"),
    forgeUrl: text("DTAAS_FORGE_URL"),
    forgeToken: text("DTAAS_FORGE_TOKEN"),
    group: text("DTAAS_FORGE_GROUP"),
    ciAudiences: [text("DTAAS_PUBLIC_URL"), ...text("DTAAS_CI_AUDIENCES").split(",").filter(Boolean)],
    webhookSecret: text("DTAAS_WEBHOOK_SECRET"),
    runnerKey: values.DTAAS_RUNNER_KEY,
    lfsOrigins: text("DTAAS_LFS_ORIGINS").split(",").filter(Boolean),
    resyncSeconds: Number(text("DTAAS_RESYNC_SECONDS")),
    maxFetchBytes: Number(text("DTAAS_MAX_FETCH_MIB")) * 1024 * 1024,
    logLevel: text("DTAAS_LOG_LEVEL"),
  };
}
