import { dataFolder as sharedFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";

export interface ForgeConfig {
  dataFolder: string;
  host: string;
  port: number;
  url: string | undefined;
  /** Made the token of the administrator `root` at start. */
  rootToken: string | undefined;
  /** Requests to the REST API that each user has a minute. */
  requestsPerMinute: number | undefined;
  /** Where jobs of pipelines are exchanged with the runner; `undefined` where none can run. */
  exchange: { jobs: string; runs: string } | undefined;
  path: string | undefined;
  logLevel: string;
}

const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];
const minRootTokenLength = 20;

/** Reads the forge's settings. Throws `ActionNeededError("FORGE_CONFIG_INVALID")` that names every problem at once. */
export function readForgeConfig(environment: NodeJS.ProcessEnv = process.env): ForgeConfig {
  const problems: string[] = [];
  const text = (name: string) => environment[name]?.trim() || undefined;

  const dataFolder = text("DTAAS_FORGE_DATA");
  if (!dataFolder) problems.push("DTAAS_FORGE_DATA is missing: the folder the forge keeps everything in");
  const portText = text("DTAAS_FORGE_PORT") ?? "0";
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port > 65_535) problems.push("DTAAS_FORGE_PORT is no port number");
  const url = text("DTAAS_FORGE_URL");
  if (url && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    problems.push("DTAAS_FORGE_URL is no http or https address");
  }
  const rootToken = text("DTAAS_FORGE_ROOT_TOKEN");
  if (rootToken && !new RegExp(`^[\\x21-\\x7e]{${minRootTokenLength},}$`).test(rootToken)) {
    problems.push(`DTAAS_FORGE_ROOT_TOKEN must be at least ${minRootTokenLength} characters without spaces`);
  }
  const limitText = text("DTAAS_FORGE_REQUESTS_PER_MINUTE");
  const requestsPerMinute = limitText === undefined ? undefined : Number(limitText);
  if (limitText !== undefined && !/^[1-9]\d{0,6}$/.test(limitText)) {
    problems.push("DTAAS_FORGE_REQUESTS_PER_MINUTE is no number above 0");
  }
  const logLevel = text("DTAAS_LOG_LEVEL") ?? "info";
  if (!levels.includes(logLevel)) problems.push(`DTAAS_LOG_LEVEL must be one of ${levels.join(", ")}`);

  if (problems.length > 0 || !dataFolder) {
    throw new ActionNeededError("FORGE_CONFIG_INVALID", problems.join("; "), {
      hint: "set these environment variables and start again",
    });
  }
  const host = text("DTAAS_FORGE_HOST") ?? "127.0.0.1";
  const path = environment["PATH"];
  const shared = text("DTAAS_FORGE_RUNNER_DATA");
  const exchange =
    shared === undefined
      ? undefined
      : { jobs: sharedFolder(shared).ciJobs, runs: sharedFolder(shared).ciRuns };
  return { dataFolder, host, port, url, rootToken, requestsPerMinute, exchange, path, logLevel };
}
