import { builtInDefaults, layerWorkspace, type TwinDefaults } from "./defaults.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { parseDuration } from "./duration.ts";
import type { Platform } from "./generated/platform.ts";
import { normaliseResources } from "./normalise-twin.ts";
import { hasErrors, parseDocument } from "./parse-document.ts";
import { recordOf } from "./plain-data.ts";
import { remotePolicyOf } from "./remotes.ts";
import { parseSize } from "./size.ts";
import type { PlatformDocument, Retention, UserLimits } from "./twin-spec.ts";
import { findUnknownTemplate } from "./unknown-template.ts";
import { workspaceResources } from "./workspace-resources.ts";
import type { Locate } from "./yaml-document.ts";

export interface ParsedPlatform {
  /** The normalised document; absent when there is an error. */
  document?: PlatformDocument;
  diagnostics: Diagnostic[];
  locate: Locate;
}

/** Reads a platform.yaml over the built-in defaults. Pure; never throws, whatever the input. */
export function parsePlatform(
  input: string | Uint8Array,
  options: { file: string; defaults?: TwinDefaults; templates?: readonly string[] },
): ParsedPlatform {
  const { file, defaults = builtInDefaults } = options;
  const { yaml, diagnostics } = parseDocument(input, {
    file,
    schema: "platform",
    check: (value, find) => {
      const spec = recordOf(recordOf(value)?.["spec"]);
      const workspace = recordOf(recordOf(spec?.["defaults"])?.["workspace"]);
      findUnknownTemplate(workspace?.["template"], "/spec/defaults/workspace/template", options, find);
    },
  });
  if (hasErrors(diagnostics)) return { diagnostics, locate: yaml.locate };
  const {
    group,
    shared = [],
    defaults: written,
    limits,
    retention,
    policies,
  } = (yaml.value as Platform).spec;
  const document: PlatformDocument = {
    group,
    shared: shared.map(({ project, groups = [] }) => ({ project, groups })),
    defaults: {
      workspace: layerWorkspace(written?.workspace, defaults.workspace),
      resources: normaliseResources(written?.resources, defaults.resources),
    },
    ...(retention === undefined ? {} : { retention: retentionOf(retention) }),
    ...(limits?.perUser === undefined ? {} : { limits: { perUser: userLimits(limits.perUser) } }),
    ...(policies?.twinsFromMergeRequests ? { twinsFromMergeRequests: policies.twinsFromMergeRequests } : {}),
    ...(policies?.remotes ? { remotes: remotePolicyOf((yaml.value as Platform).spec) } : {}),
    workspaces: {
      perUser: limits?.workspace?.perUser ?? 1,
      limits: workspaceResources(limits?.workspace),
      images: [...(policies?.images ?? [])],
    },
  };
  return { document, diagnostics, locate: yaml.locate };
}

function userLimits(written: { twins?: number; cpus?: number; memory?: string }): UserLimits {
  const { twins, cpus, memory } = written;
  const memoryBytes = memory === undefined ? undefined : parseSize(memory);
  return {
    ...(twins === undefined ? {} : { twins }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
}

function retentionOf(written: { runs?: string; logs?: string; images?: string }): Retention {
  const times = Object.entries(written).map(([what, text]) => [`${what}Ms`, parseDuration(text)]);
  return Object.fromEntries(times.filter(([, ms]) => ms !== undefined)) as Retention;
}
