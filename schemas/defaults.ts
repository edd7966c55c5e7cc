import type {
  HealthSpec,
  PlatformDocument,
  Resources,
  RestartSpec,
  RolloutSpec,
  TwinSpec,
  WorkspaceDocument,
  WorkspaceImage,
} from "./twin-spec.ts";
import type { WorkspaceResources } from "./workspace-state.ts";

/** What a twin inherits when it says nothing itself. */
export interface TwinDefaults {
  workspace: WorkspaceImage;
  resources: Resources;
}

/** What holds when nobody says anything. */
export const builtInDefaults: TwinDefaults = {
  workspace: { template: "base", packages: { apt: [], pip: [] } },
  resources: { cpus: 1, memoryBytes: 512 * 1024 ** 2, pids: 256 },
};

/** What a workspace gets when its workspace.yaml does not say. */
export const defaultWorkspaceResources: WorkspaceResources = {
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  shmBytes: 512 * 1024 ** 2,
  pids: 4960,
};

/** The careful one: a twin may act on its physical twin, so two versions of it never run at once. */
export const defaultIntegrationLevel: TwinSpec["integrationLevel"] = "twin";

export const defaultGraceMs = 10_000;

export const defaultRestart: RestartSpec = { policy: "on-failure", maxRetries: 5, backoffMs: 2000 };

export const defaultHealthTimes: Pick<HealthSpec, "intervalMs" | "timeoutMs" | "retries"> = {
  intervalMs: 5000,
  timeoutMs: 2000,
  retries: 3,
};

export function defaultRollout(level: TwinSpec["integrationLevel"]): RolloutSpec {
  return { strategy: level === "twin" ? "replace" : "parallel", timeoutMs: 60_000 };
}

/** A workspace as one layer says it: every part may be missing. */
export interface WorkspaceLayer {
  template?: string | undefined;
  packages?: { apt?: string[] | undefined; pip?: string[] | undefined } | undefined;
}

/**
 * One layer over a wider one. A template replaces the wider layer, packages included; packages alone keep the
 * inherited template and replace the inherited packages.
 */
export function layerWorkspace(layer: WorkspaceLayer | undefined, wider: WorkspaceImage): WorkspaceImage {
  const packages = layer?.packages && { apt: layer.packages.apt ?? [], pip: layer.packages.pip ?? [] };
  if (layer?.template !== undefined) {
    return { template: layer.template, packages: packages ?? { apt: [], pip: [] } };
  }
  const { template, packages: inherited } = wider;
  return { template, packages: packages ?? { apt: [...inherited.apt], pip: [...inherited.pip] } };
}

/**
 * What a user's twins inherit: workspace.yaml, then platform.yaml, then what is built in. The two documents are
 * already layered over their own defaults when they were parsed with them.
 */
export function twinDefaults(from: {
  platform?: Pick<PlatformDocument, "defaults"> | undefined;
  workspace?: WorkspaceDocument | undefined;
}): TwinDefaults {
  const wider = from.platform?.defaults ?? builtInDefaults;
  return { workspace: from.workspace?.workspace ?? wider.workspace, resources: wider.resources };
}

const hourMs = 3_600_000;

/** Operations of a preview that names none, as far as the twin has them. */
export const defaultPreviewOperations = ["create", "execute"];
export const defaultPreviewDurationMs = 5 * 60_000;
export const defaultPreviewTtlMs = hourMs;

/** No operation may hold up the others for ever; only `execute` may run without end. */
export function defaultTimeoutMs(operation: string): number | undefined {
  return operation === "execute" ? undefined : hourMs;
}
