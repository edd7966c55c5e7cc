import { publicKeyPattern } from "#core/age";
import { ActionNeededError } from "#core/errors";
import { readConfig, type Setting } from "#core/read-config";

/** Sign-in of browsers at an OpenID Connect provider. */
export interface SignInConfig {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Sessions are encrypted and cookies signed with it. */
  sessionSecret: string;
  /** Which claim is the user's name on the Git host; not needed where that is the provider. */
  usernameClaim: string | undefined;
}

/** A Git host and the platform's own account there. */
export interface HostConfig {
  kind: "gitlab" | "github";
  /** Where people look. */
  url: string;
  token: string;
}

export interface ForgeConfig {
  forge: HostConfig;
  /** Absent: there is one host. `name`: what paths of its projects begin with. */
  furtherForge: (HostConfig & { name: string }) | undefined;
}

export interface ControllerConfig extends ForgeConfig {
  dataFolder: string;
  redisUrl: string;
  httpHost: string;
  httpPort: number;
  /** Where people and the Git host reach this process. */
  publicUrl: string;
  forgeUrl: string;
  group: string;
  /** What ID tokens of jobs must be made out to: the public URL, and other addresses under which jobs reach this process. */
  ciAudiences: string[];
  /** From this the secrets of all hooks are derived. */
  webhookSecret: string;
  /** The runner's public key, to which secrets are sealed; absent: twins cannot have any. */
  runnerKey: string | undefined;
  /** Besides the Git host's own: where it keeps large files (Git LFS). */
  lfsOrigins: string[];
  /** Absent: people use access tokens only. */
  signIn: SignInConfig | undefined;
  resyncSeconds: number;
  /** What one fetch may add to a mirror. */
  maxFetchBytes: number;
  logLevel: string;
}

const httpUrl = /^https?:\/\/[^\s]+[^/]$/;

const hostKind = /^(gitlab|github)$/;

const settings = {
  DTAAS_DATA: { required: true, says: "folder that controller and runner share" },
  REDIS_URL: { required: true, pattern: /^(rediss?|unix):\/\//, says: "redis://[:password@]host:port" },
  DTAAS_HTTP_HOST: { fallback: "127.0.0.1", says: "address to listen on" },
  DTAAS_HTTP_PORT: { fallback: "8080", pattern: /^\d{1,5}$/, says: "a port number" },
  DTAAS_PUBLIC_URL: { required: true, pattern: httpUrl, says: "http(s) URL without a slash at the end" },
  DTAAS_FORGE_URL: {
    required: true,
    pattern: httpUrl,
    says: "http(s) URL of the Git host without a slash at the end",
  },
  DTAAS_FORGE_KIND: { fallback: "gitlab", pattern: hostKind, says: "gitlab or github" },
  DTAAS_FORGE_TOKEN: {
    required: true,
    pattern: /^\S{10,}$/,
    says: "access token of the platform's account",
  },
  DTAAS_FORGE_GROUP: { fallback: "dtaas", pattern: /^[\w.-]+(\/[\w.-]+)*$/, says: "path of a group" },
  DTAAS_FURTHER_FORGE_URL: { pattern: httpUrl, says: "http(s) URL of a Git host without a slash at the end" },
  DTAAS_FURTHER_FORGE_KIND: { fallback: "github", pattern: hostKind, says: "gitlab or github" },
  DTAAS_FURTHER_FORGE_TOKEN: { pattern: /^\S{10,}$/, says: "access token of the platform's account there" },
  DTAAS_FURTHER_FORGE_NAME: {
    pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/,
    says: "what paths of its projects begin with: letters, digits, dots, dashes",
  },
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
  DTAAS_OIDC_ISSUER: { pattern: /^https?:\/\/\S+$/, says: "http(s) URL of an OpenID Connect provider" },
  DTAAS_OIDC_CLIENT_ID: { pattern: /^\S+$/, says: "what the provider calls the platform" },
  DTAAS_OIDC_CLIENT_SECRET: { pattern: /^\S+$/, says: "the secret that the provider has given" },
  DTAAS_OIDC_USERNAME_CLAIM: { pattern: /^\w+$/, says: "a claim, such as preferred_username" },
  DTAAS_SESSION_SECRET: { pattern: /^\S{32,}$/, says: "at least 32 characters that nobody can guess" },
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
    forge: {
      kind: kindOf(text("DTAAS_FORGE_KIND")),
      url: text("DTAAS_FORGE_URL"),
      token: text("DTAAS_FORGE_TOKEN"),
    },
    furtherForge: furtherForge(values),
    group: text("DTAAS_FORGE_GROUP"),
    ciAudiences: [text("DTAAS_PUBLIC_URL"), ...text("DTAAS_CI_AUDIENCES").split(",").filter(Boolean)],
    webhookSecret: text("DTAAS_WEBHOOK_SECRET"),
    runnerKey: values.DTAAS_RUNNER_KEY,
    lfsOrigins: text("DTAAS_LFS_ORIGINS").split(",").filter(Boolean),
    signIn: signInConfig(values),
    resyncSeconds: Number(text("DTAAS_RESYNC_SECONDS")),
    maxFetchBytes: Number(text("DTAAS_MAX_FETCH_MIB")) * 1024 * 1024,
    logLevel: text("DTAAS_LOG_LEVEL"),
  };
}

const {
  DTAAS_FURTHER_FORGE_URL,
  DTAAS_FURTHER_FORGE_KIND,
  DTAAS_FURTHER_FORGE_TOKEN,
  DTAAS_FURTHER_FORGE_NAME,
} = settings;
const ofFurtherForge = {
  DTAAS_FURTHER_FORGE_URL,
  DTAAS_FURTHER_FORGE_KIND,
  DTAAS_FURTHER_FORGE_TOKEN,
  DTAAS_FURTHER_FORGE_NAME,
};

/** The further Git host alone; throws likewise. */
export function readFurtherForge(
  environment: Readonly<Record<string, string | undefined>>,
): ForgeConfig["furtherForge"] {
  return furtherForge(readConfig(ofFurtherForge, environment));
}

/** Its name is that of its address, unless another one is wanted. */
function furtherForge(
  values: Record<keyof typeof ofFurtherForge, string | undefined>,
): ForgeConfig["furtherForge"] {
  const { DTAAS_FURTHER_FORGE_URL: url, DTAAS_FURTHER_FORGE_TOKEN: token } = values;
  const { DTAAS_FURTHER_FORGE_NAME: name, DTAAS_FURTHER_FORGE_KIND: kind = "github" } = values;
  if (url === undefined && token === undefined && name === undefined) return undefined;
  if (url === undefined || token === undefined) {
    const missing = url === undefined ? "DTAAS_FURTHER_FORGE_URL" : "DTAAS_FURTHER_FORGE_TOKEN";
    throw new ActionNeededError("CONFIG_INVALID", `for a further Git host ${missing} is missing, too`, {
      hint: "set the address and the token, or none of DTAAS_FURTHER_FORGE_*",
    });
  }
  return { kind: kindOf(kind), url, token, name: name ?? new URL(url).hostname };
}

function kindOf(value: string): HostConfig["kind"] {
  return value === "github" ? "github" : "gitlab";
}

/** All of it or nothing: half of it would look as if people could sign in. */
function signInConfig(values: Record<keyof typeof settings, string | undefined>): SignInConfig | undefined {
  const needed = [
    "DTAAS_OIDC_ISSUER",
    "DTAAS_OIDC_CLIENT_ID",
    "DTAAS_OIDC_CLIENT_SECRET",
    "DTAAS_SESSION_SECRET",
  ] as const;
  const [issuer, clientId, clientSecret, sessionSecret] = needed.map((name) => values[name]);
  const usernameClaim = values.DTAAS_OIDC_USERNAME_CLAIM;
  const missing = needed.filter((name) => values[name] === undefined);
  if (missing.length === needed.length && usernameClaim === undefined) return undefined;
  const withoutSlash = (url: string | undefined) => url?.replace(/\/+$/, "");
  const isGitHost = withoutSlash(issuer) === withoutSlash(values.DTAAS_FORGE_URL);
  const isNamed = isGitHost || usernameClaim !== undefined;
  if (!issuer || !clientId || !clientSecret || !sessionSecret || !isNamed) {
    const names = [
      ...missing,
      ...(isNamed ? [] : ["DTAAS_OIDC_USERNAME_CLAIM (the provider is not the Git host)"]),
    ];
    throw new ActionNeededError("CONFIG_INVALID", `for sign-in these are missing, too: ${names.join(", ")}`, {
      hint: "set them, or none of DTAAS_OIDC_* and DTAAS_SESSION_SECRET",
    });
  }
  return { issuer, clientId, clientSecret, sessionSecret, usernameClaim };
}
