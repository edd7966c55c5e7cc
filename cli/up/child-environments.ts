import { systemPath } from "#embedded/processes/find-command";
import { ciUrl } from "./ci-url.ts";
import type { Ports } from "./ports.ts";
import type { Secrets } from "./secrets.ts";
import { botName, group } from "./seed.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ChildSettings {
  dataFolder: string;
  redisUrl: string;
  dockerHost: string | undefined;
  /** Absent: the container engine. Otherwise twins are processes, of this one user only. */
  processEngine?: { user: string };
  logLevel: string;
  secrets: Secrets;
  ports: Ports;
  /** What secrets are sealed to; made by the runner's own program before the controller starts. */
  runnerKey?: string;
  /** Ours; picked from by name, never handed on whole. */
  environment: Environment;
}

// What any program on this machine may need to work at all.
const everybody = ["HOME", "LANG", "TZ", "TMPDIR", "NODE_EXTRA_CA_CERTS"];
// How to reach registries from here; builds of workspace images honour it.
const registries = [
  ...["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
  ...["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CONFIG_FILE"],
];
// A Git host with further repositories of shared assets; the controller alone talks to it.
const furtherForge = ["URL", "KIND", "TOKEN", "NAME"].map((name) => `DTAAS_FURTHER_FORGE_${name}`);
const engine = ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DTAAS_NETWORK_POOL"];

export function httpUrl(ports: Ports): string {
  return `http://127.0.0.1:${ports.http}`;
}

export function forgeUrl(ports: Ports): string {
  return `http://127.0.0.1:${ports.forge}`;
}

/**
 * How Node.js keeps the memory of a child, by its name. In a burst the controller leaves much behind and little stays: rubbish is
 * collected after fewer MiB, the first time as well (docs/performance.md). A host that starts it otherwise may give the same.
 */
export const nodeFlags: Readonly<Record<string, readonly string[]>> = {
  controller: ["--max-semi-space-size=4", "--initial-old-space-size=48", "--heap-growing-percent=30"],
};

/** The forge gets neither Redis nor the engine. Jobs of pipelines reach the runner as files, where an engine can lock them up. */
export function forgeEnvironment(settings: ChildSettings): Record<string, string> {
  return {
    ...base(settings, []),
    DTAAS_FORGE_DATA: `${settings.dataFolder}/forge`,
    DTAAS_FORGE_HOST: "127.0.0.1",
    DTAAS_FORGE_PORT: String(settings.ports.forge),
    DTAAS_FORGE_URL: forgeUrl(settings.ports),
    DTAAS_FORGE_ROOT_TOKEN: settings.secrets.forgeRootToken,
    ...(settings.processEngine ? {} : { DTAAS_FORGE_RUNNER_DATA: settings.dataFolder }),
    // MiB of the halves in which new objects live. A burst of requests would grow them to 16, and they never shrink.
    NODE_OPTIONS: "--max-semi-space-size=2",
  };
}

/** The controller alone gets a token of the forge, its own account's; the engine is nothing it knows of. */
export function controllerEnvironment(settings: ChildSettings): Record<string, string> {
  const { ports, secrets } = settings;
  const token = secrets.accounts[botName]?.token;
  if (token === undefined) throw new Error("the platform's account is seeded before the controller starts");
  return {
    ...base(settings, ["DTAAS_MAX_FETCH_MIB", ...furtherForge]),
    REDIS_URL: settings.redisUrl,
    DTAAS_HTTP_HOST: "127.0.0.1",
    DTAAS_HTTP_PORT: String(ports.http),
    DTAAS_PUBLIC_URL: httpUrl(ports),
    DTAAS_FORGE_URL: forgeUrl(ports),
    DTAAS_FORGE_TOKEN: token,
    DTAAS_FORGE_GROUP: group,
    DTAAS_WEBHOOK_SECRET: secrets.webhookSecret,
    DTAAS_CI_AUDIENCES: ciUrl,
    ...(secrets.application && {
      DTAAS_OIDC_ISSUER: forgeUrl(ports),
      DTAAS_OIDC_CLIENT_ID: secrets.application.clientId,
      DTAAS_OIDC_CLIENT_SECRET: secrets.application.secret,
      DTAAS_SESSION_SECRET: secrets.sessionSecret,
    }),
    ...(settings.runnerKey !== undefined && { DTAAS_RUNNER_KEY: settings.runnerKey }),
  };
}

/** The runner gets the engine and no token of anything. */
export function runnerEnvironment(settings: ChildSettings): Record<string, string> {
  const { processEngine } = settings;
  return {
    ...base(settings, [
      "DTAAS_SECRETS_FOLDER",
      ...(processEngine ? ["DTAAS_ISOLATION"] : [...registries, ...engine]),
    ]),
    REDIS_URL: settings.redisUrl,
    DTAAS_METRICS_PORT: String(settings.ports.metrics),
    DTAAS_CONTROLLER_URL: httpUrl(settings.ports),
    ...(processEngine && { DTAAS_ENGINE: "process", DTAAS_PROCESS_USER: processEngine.user }),
    ...(settings.dockerHost !== undefined && { DOCKER_HOST: settings.dockerHost }),
  };
}

function base(settings: ChildSettings, more: string[]): Record<string, string> {
  const picked: Record<string, string> = { PATH: systemPath };
  for (const name of [...everybody, ...more]) {
    const value = settings.environment[name];
    if (value !== undefined) picked[name] = value;
  }
  return {
    ...picked,
    DTAAS_DATA: settings.dataFolder,
    DTAAS_INSTALLATION: settings.secrets.installation,
    DTAAS_LOG_LEVEL: settings.logLevel,
  };
}
