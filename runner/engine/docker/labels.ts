import { containerLabelFields } from "../container-labels.ts";
import type { ContainerLabels } from "../engine.ts";

/** On every object we make in the engine: which installation it belongs to. */
export const installationLabel = "dtaas.installation";
export const userLabel = "dtaas.user";
/** On containers that execute a run; others of ours (probes) do not have it. */
export const runLabel = "dtaas.run";
/** On containers: the name we were asked for, and a fingerprint of the configuration they were made with. */
export const nameLabel = "dtaas.name";
export const configLabel = "dtaas.config";
/** On containers of workspaces, which have no run: whose it is, and which session. */
export const workspaceLabel = "dtaas.workspace";
export const sessionLabel = "dtaas.session";
/** On containers of pipeline jobs, which have no run: number of the job. */
export const ciJobLabel = "dtaas.job";
/** On containers of previews: the id of the merge request's previews. On their networks: the whole scope. */
export const previewLabel = "dtaas.preview";
/** On images: content hash of the recipe. */
export const recipeLabel = "dtaas.recipe";
/** On volumes: id of the layer. */
export const layerLabel = "dtaas.layer";

export function toEngineLabels(labels: ContainerLabels): Record<string, string> {
  return {
    ...Object.fromEntries(containerLabelFields.map((field) => [`dtaas.${field}`, labels[field]])),
    ...(labels.preview === undefined ? {} : { [previewLabel]: labels.preview }),
  };
}

/** A label somebody took away reads as an empty string. */
export function fromEngineLabels(labels: Record<string, string> | undefined): ContainerLabels {
  const value = (field: keyof ContainerLabels) => labels?.[`dtaas.${field}`] ?? "";
  return {
    user: value("user"),
    twin: value("twin"),
    operation: value("operation"),
    run: value("run"),
    key: value("key"),
    source: value("source"),
    revision: value("revision"),
    attempt: value("attempt"),
    ...(labels?.[previewLabel] === undefined ? {} : { preview: labels[previewLabel] }),
  };
}

/** On what serves no user: what it is for. */
export const purposeLabel = "dtaas.purpose";

/** Name of an engine object: readable, and never that of another installation on the same engine. */
export function engineName(installation: string, name: string): string {
  return `dtaas-${installation}-${name}`;
}

/** The filter the engine's list calls take. `undefined`: the label is there, whatever it says. */
export function labelFilter(installation: string, more: Record<string, string | undefined> = {}): string {
  const label = Object.entries({ [installationLabel]: installation, ...more }).map(([name, value]) =>
    value === undefined ? name : `${name}=${value}`,
  );
  return JSON.stringify({ label });
}
