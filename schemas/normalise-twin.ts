import { posix } from "node:path";
import type { CronTime } from "./cron.ts";
import {
  defaultGraceMs,
  defaultHealthTimes,
  defaultIntegrationLevel,
  defaultPreviewDurationMs,
  defaultPreviewOperations,
  defaultPreviewTtlMs,
  defaultRestart,
  defaultRollout,
  defaultTimeoutMs,
  layerWorkspace,
  type TwinDefaults,
} from "./defaults.ts";
import { deriveLifecycle, twinFolder } from "./derive-twin.ts";
import { parseDuration } from "./duration.ts";
import type { DigitalTwin, Operation } from "./generated/digital-twin.ts";
import { parseSize } from "./size.ts";
import type {
  AssetKind,
  HealthSpec,
  OperationSpec,
  Parameters,
  PreviewSpec,
  Resources,
  TwinDocument,
  TwinSpec,
} from "./twin-spec.ts";

export interface NormaliseOptions {
  folder: string;
  user: string;
  defaults: TwinDefaults;
  /** Operations of a document without `lifecycle`. */
  scripts: readonly string[];
  /** An environment variable as it was written: `1.10` stays `1.10`. */
  written(name: string): string | undefined;
}

/** The normalised form of a document that its schema has accepted: every default filled in. */
export function normaliseTwin(raw: DigitalTwin, options: NormaliseOptions): TwinDocument {
  const { metadata, spec } = raw;
  const normalised = normaliseSpec(spec, options);
  return {
    metadata: {
      name: metadata.name,
      title: metadata.title ?? metadata.name,
      description: metadata.description ?? "",
      labels: { ...metadata.labels },
    },
    state: spec.state ?? "stopped",
    suspend: spec.suspend ?? false,
    ...normaliseSchedule(spec.schedule),
    derived: false,
    ...(spec.preview === undefined ? {} : { preview: normalisePreview(spec.preview, normalised) }),
    spec: normalised,
  };
}

function normaliseSpec(spec: DigitalTwin["spec"], options: NormaliseOptions): TwinSpec {
  const { folder, user, defaults } = options;
  const integrationLevel = spec.integrationLevel ?? defaultIntegrationLevel;
  const rollout = defaultRollout(integrationLevel);
  const health = normaliseHealth(spec.health);
  return {
    integrationLevel,
    workspace: layerWorkspace(spec.workspace, defaults.workspace),
    assets: (spec.assets ?? []).flatMap((asset) =>
      Object.entries(asset).map(([kind, path]) => ({ kind: kind as AssetKind, path: normalisePath(path) })),
    ),
    ...(hasParameters(spec.parameters) ? { parameters: spec.parameters } : {}),
    environment: Object.fromEntries(
      Object.entries(spec.environment ?? {}).map(([name, value]) => [
        name,
        typeof value === "string" ? value : (options.written(name) ?? String(value)),
      ]),
    ),
    ...(spec.secrets === undefined || spec.secrets.length === 0
      ? {}
      : {
          secrets: spec.secrets.map((secret) =>
            typeof secret === "string"
              ? { name: secret, env: false }
              : { name: secret.name, env: secret.env ?? false },
          ),
        }),
    lifecycle:
      spec.lifecycle === undefined
        ? deriveLifecycle(folder, options.scripts)
        : Object.fromEntries(
            Object.entries(spec.lifecycle).map(([name, operation]) => [
              name,
              normaliseOperation(name, operation, folder),
            ]),
          ),
    dependsOn: (spec.dependsOn ?? []).map((target) => fullTwinName(target, user)),
    ...(health === undefined ? {} : { health }),
    restart: {
      policy: spec.restart?.policy ?? defaultRestart.policy,
      maxRetries: spec.restart?.maxRetries ?? defaultRestart.maxRetries,
      backoffMs: durationOr(spec.restart?.backoff, defaultRestart.backoffMs),
    },
    rollout: {
      strategy: spec.rollout?.strategy ?? rollout.strategy,
      timeoutMs: durationOr(spec.rollout?.timeout, rollout.timeoutMs),
    },
    resources: normaliseResources(spec.resources, defaults.resources),
  };
}

function hasParameters(parameters: DigitalTwin["spec"]["parameters"]): parameters is Parameters {
  return parameters !== undefined && Object.keys(parameters).length > 0;
}

function normaliseSchedule(written: DigitalTwin["spec"]["schedule"]): Pick<TwinDocument, "schedule"> {
  const entries = Object.entries(written ?? {});
  if (entries.length === 0) return {};
  return { schedule: Object.fromEntries(entries.map(([name, time]) => [name, cronTime(time)])) };
}

function normalisePreview(
  { operations, duration, ttl, compare }: NonNullable<DigitalTwin["spec"]["preview"]>,
  { lifecycle }: TwinSpec,
): PreviewSpec {
  return {
    operations: operations ?? defaultPreviewOperations.filter((name) => Object.hasOwn(lifecycle, name)),
    durationMs: durationOr(duration, defaultPreviewDurationMs),
    ttlMs: durationOr(ttl, defaultPreviewTtlMs),
    compare: (compare ?? []).map(({ file, column, tolerance }) => ({
      file: normalisePath(file),
      column,
      tolerance: tolerance ?? 0,
    })),
  };
}

/** A time as it is written, with the default time zone. */
export function cronTime(written: string | { cron: string; timeZone?: string }): CronTime {
  const { cron, timeZone } = typeof written === "string" ? { cron: written, timeZone: undefined } : written;
  return { cron, timeZone: timeZone ?? "UTC" };
}

function normaliseOperation(name: string, operation: Operation, folder: string): OperationSpec {
  const { run, timeout, workingDir, grace, outputs } = operation;
  const timeoutMs = timeout === undefined ? defaultTimeoutMs(name) : durationOr(timeout, 0);
  return {
    run: typeof run === "string" ? normalisePath(run) : [...run],
    workingDir: workingDir === undefined ? twinFolder(folder) : normalisePath(workingDir),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    graceMs: durationOr(grace, defaultGraceMs),
    outputs: (outputs ?? []).map(normalisePath),
  };
}

function normaliseHealth(health: DigitalTwin["spec"]["health"]): HealthSpec | undefined {
  if (health === undefined) return undefined;
  const { http, exec, interval, timeout, retries } = health;
  return {
    ...(http === undefined ? {} : { http: { port: http.port, path: http.path ?? "/" } }),
    ...(exec === undefined ? {} : { exec: [...exec] }),
    intervalMs: durationOr(interval, defaultHealthTimes.intervalMs),
    timeoutMs: durationOr(timeout, defaultHealthTimes.timeoutMs),
    retries: retries ?? defaultHealthTimes.retries,
  };
}

/** Resources as written, over what is inherited. */
export function normaliseResources(
  written: { cpus?: number; memory?: string; pids?: number; disk?: string } | undefined,
  inherited: Resources,
): Resources {
  const memoryBytes = written?.memory === undefined ? undefined : parseSize(written.memory);
  const diskBytes = written?.disk === undefined ? inherited.diskBytes : parseSize(written.disk);
  return {
    ...(diskBytes === undefined ? {} : { diskBytes }),
    cpus: written?.cpus ?? inherited.cpus,
    memoryBytes: memoryBytes ?? inherited.memoryBytes,
    pids: written?.pids ?? inherited.pids,
  };
}

/** `user/twin` of a name that may leave the user out. */
export function fullTwinName(target: string, user: string): string {
  return target.includes("/") ? target : `${user}/${target}`;
}

/** Without `./` and without a slash at the end; the schema has refused everything worse. */
export function normalisePath(path: string): string {
  return posix.normalize(path).replace(/\/$/, "");
}

function durationOr(text: string | undefined, otherwise: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? otherwise;
}
