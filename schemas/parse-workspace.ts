import { builtInDefaults, layerWorkspace, type TwinDefaults } from "./defaults.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { parseDuration } from "./duration.ts";
import type { Workspace } from "./generated/workspace.ts";
import { hasErrors, parseDocument } from "./parse-document.ts";
import { recordOf } from "./plain-data.ts";
import { findDoubleRemotes, remotesOf } from "./remotes.ts";
import type { WorkspaceDocument } from "./twin-spec.ts";
import { findUnknownTemplate } from "./unknown-template.ts";
import { workspaceResources } from "./workspace-resources.ts";
import type { Locate } from "./yaml-document.ts";

export interface ParsedWorkspace {
  /** The normalised document; absent when there is an error. */
  document?: WorkspaceDocument;
  diagnostics: Diagnostic[];
  locate: Locate;
}

/** Reads a workspace.yaml over the platform's defaults. Pure; never throws, whatever the input. */
export function parseWorkspace(
  input: string | Uint8Array,
  options: { file: string; defaults?: TwinDefaults; templates?: readonly string[] },
): ParsedWorkspace {
  const { file, defaults = builtInDefaults } = options;
  const { yaml, diagnostics } = parseDocument(input, {
    file,
    schema: "workspace",
    check: (value, find) => {
      const spec = recordOf(recordOf(value)?.["spec"]);
      findUnknownTemplate(spec?.["template"], "/spec/template", options, find);
      if (spec?.["image"] !== undefined && spec["packages"] !== undefined) {
        find({
          code: "image-with-packages",
          pointer: "/spec/packages",
          part: "key",
          severity: "warning",
          message: "nothing is installed on a ready image: these packages are for this user's twins only",
          hint: "use a template instead of `image`",
        });
      }
      findDoubleRemotes(spec, find);
    },
  });
  if (hasErrors(diagnostics)) return { diagnostics, locate: yaml.locate };
  const { spec } = yaml.value as Workspace;
  const remotes = remotesOf(spec);
  const workspace = layerWorkspace(spec, defaults.workspace);
  const stopAfterMs = spec.idle?.stopAfter === undefined ? undefined : parseDuration(spec.idle.stopAfter);
  const document: WorkspaceDocument = {
    workspace,
    shared: spec.shared ?? [],
    ...(spec.image === undefined ? {} : { image: spec.image }),
    ...(stopAfterMs === undefined ? {} : { idleStopAfterMs: stopAfterMs }),
    ...(remotes.length > 0 ? { remotes } : {}),
    resources: workspaceResources(spec.resources),
  };
  return { document, diagnostics, locate: yaml.locate };
}
