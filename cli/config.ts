import { join, resolve } from "node:path";
import { readJson } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { didYouMean } from "#schemas/suggest";

export type CliEnvironment = Readonly<Record<string, string | undefined>>;

/** Where the platform is and who asks. */
export interface CliConfig {
  url: string;
  token: string;
  /** Whose twins are meant where a command does not say; `undefined`: found by the twin's name. */
  user: string | undefined;
}

export interface ConnectionOptions {
  /** Ask as this user of `cli.json`. */
  as?: string;
  user?: string;
}

/** Written by `dtaas up` for the machine it runs on. */
interface LocalPlatform {
  url: string;
  users: Record<string, { token: string }>;
}

const administrator = "root"; // asks when nobody else is named

/** The environment of this process; colours are wanted unless NO_COLOR says no. */
export function processEnvironment(environment: NodeJS.ProcessEnv = process.env): CliEnvironment {
  return environment;
}

/**
 * `DTAAS_URL` and `DTAAS_TOKEN` where both are set, else `cli.json` in the data folder (`DTAAS_DATA`, else `.dtaas` in the
 * current one). A token of the file is never sent to another URL than the file's. Errors: `NOT_CONFIGURED`,
 * `IDENTITY_UNKNOWN`.
 */
export async function readCliConfig(
  options: ConnectionOptions,
  environment: CliEnvironment,
  folder: string,
): Promise<CliConfig> {
  const url = environment["DTAAS_URL"]?.replace(/\/+$/, "") || undefined;
  const token = environment["DTAAS_TOKEN"] || undefined;
  const user = options.user ?? (environment["DTAAS_USER"] || undefined);
  if (url !== undefined && !/^https?:\/\/\S+$/.test(url)) {
    throw new ActionNeededError("NOT_CONFIGURED", "DTAAS_URL is no http(s) address");
  }
  if (url !== undefined && token !== undefined && options.as === undefined) return { url, token, user };

  const data = resolve(folder, environment["DTAAS_DATA"] || ".dtaas");
  const local = asLocal(await readJson(join(data, "cli.json")));
  if (!local || (url !== undefined && url !== local.url)) {
    const what =
      url === undefined ? `nothing is known of a platform in ${data}` : `DTAAS_TOKEN is not set for ${url}`;
    throw new ActionNeededError("NOT_CONFIGURED", what, {
      hint: "start one here (npm start), or set DTAAS_URL and DTAAS_TOKEN, or DTAAS_DATA to the folder of one",
    });
  }
  if (options.as === undefined && token !== undefined) return { url: local.url, token, user };
  const name = options.as ?? onlyOrAdministrator(local);
  const identity = Object.hasOwn(local.users, name) ? local.users[name] : undefined;
  if (!identity) {
    const names = Object.keys(local.users);
    throw new ActionNeededError("IDENTITY_UNKNOWN", `cli.json in ${data} knows no user ${name}`, {
      hint: didYouMean(name, names) ?? `it knows ${names.join(", ")}`,
    });
  }
  return { url: local.url, token: identity.token, user: user ?? options.as };
}

function onlyOrAdministrator(local: LocalPlatform): string {
  const names = Object.keys(local.users);
  return names.length === 1 ? (names[0] ?? administrator) : administrator;
}

function asLocal(value: unknown): LocalPlatform | undefined {
  const local = value as Partial<LocalPlatform> | undefined;
  if (typeof local?.url !== "string" || typeof local.users !== "object") return undefined;
  return { url: local.url, users: local.users };
}
