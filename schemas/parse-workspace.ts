import { builtInDefaults, layerWorkspace, type TwinDefaults } from "./defaults.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Workspace } from "./generated/workspace.ts";
import { hasErrors, parseDocument } from "./parse-document.ts";
import { recordOf } from "./plain-data.ts";
import { findDoubleRemotes, remotesOf } from "./remotes.ts";
import type { WorkspaceDocument } from "./twin-spec.ts";
import { findUnknownTemplate } from "./unknown-template.ts";
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
      const template = recordOf(recordOf(value)?.["spec"])?.["template"];
      findUnknownTemplate(template, "/spec/template", options, find);
      findDoubleRemotes(recordOf(value)?.["spec"], find);
    },
  });
  if (hasErrors(diagnostics)) return { diagnostics, locate: yaml.locate };
  const { spec } = yaml.value as Workspace;
  const remotes = remotesOf(spec);
  const workspace = layerWorkspace(spec, defaults.workspace);
  return {
    document: { workspace, shared: spec.shared ?? [], ...(remotes.length > 0 ? { remotes } : {}) },
    diagnostics,
    locate: yaml.locate,
  };
}
