import { ActionNeededError } from "#core/errors";
import { isImageAllowed } from "#planning/image-allowed";
import { defaultWorkspaceResources, twinDefaults } from "#schemas/defaults";
import { parseWorkspace } from "#schemas/parse-workspace";
import type { PlatformDocument, WorkspaceDocument } from "#schemas/twin-spec";
import type { WorkspaceRequest, WorkspaceResources } from "#schemas/workspace-state";
import type { Locate } from "#schemas/yaml-document";

const file = "workspace.yaml";

export type ResolvedWorkspace = Pick<
  WorkspaceRequest,
  "template" | "image" | "resources" | "idleStopAfterMs"
>;

/**
 * What a workspace.yaml asks for, within what the platform lets users have. Pure. Errors: `WORKSPACE_SPEC_BROKEN`,
 * `WORKSPACES_OFF`, `WORKSPACE_LIMIT_EXCEEDED`, `IMAGE_NOT_ALLOWED`, each with its place in the file.
 */
export function resolveWorkspace(
  text: string | undefined,
  { platform, templates }: { platform: PlatformDocument | undefined; templates: readonly string[] },
): ResolvedWorkspace {
  const { perUser, limits, images } = platform?.workspaces ?? { perUser: 1, limits: {}, images: [] };
  if (perUser < 1) {
    throw new ActionNeededError("WORKSPACES_OFF", "this platform gives users no workspaces", {
      hint: "its administrators may set limits.workspace.perUser to 1 in platform.yaml",
    });
  }
  const { document, locate } = read(text, platform, templates);
  const { workspace, image, idleStopAfterMs } = document;
  if (image !== undefined && !isImageAllowed(image, images)) {
    throw new ActionNeededError("IMAGE_NOT_ALLOWED", `this platform does not allow the image ${image}`, {
      where: { file, ...locate("/spec/image") },
      hint: `use a template, or ask its administrators to add a pattern to policies.images in platform.yaml${
        images.length > 0 ? `; allowed are ${images.join(", ")}` : ""
      }`,
    });
  }
  return {
    ...(image === undefined ? { template: workspace } : { image }),
    resources: withinLimits(document.resources, limits, locate),
    ...(idleStopAfterMs === undefined ? {} : { idleStopAfterMs }),
  };
}

function read(
  text: string | undefined,
  platform: PlatformDocument | undefined,
  templates: readonly string[],
): { document: WorkspaceDocument; locate: Locate } {
  const defaults = twinDefaults({ platform });
  const start = () => ({ line: 1, column: 1 });
  if (text === undefined) {
    return { document: { workspace: defaults.workspace, shared: [], resources: {} }, locate: start };
  }
  const { document, diagnostics, locate } = parseWorkspace(text, { file, defaults, templates });
  const problem = diagnostics.find(({ severity }) => severity === "error");
  if (document && !problem) return { document, locate };
  const { line = 1, column = 1, message = "it cannot be read", hint } = problem ?? {};
  throw new ActionNeededError("WORKSPACE_SPEC_BROKEN", `${file}:${line}:${column}: ${message}`, {
    where: { file, line, column },
    hint: hint ?? "mend it and push",
  });
}

const fields: Record<keyof WorkspaceResources, { name: string; show: (value: number) => string }> = {
  cpus: { name: "cpus", show: String },
  memoryBytes: { name: "memory", show: mebibytes },
  shmBytes: { name: "shm", show: mebibytes },
  pids: { name: "pids", show: String },
  diskBytes: { name: "disk", show: mebibytes },
};

/** What is written must be within the limits; a default that is not becomes the limit. */
function withinLimits(
  written: Partial<WorkspaceResources>,
  limits: Partial<WorkspaceResources>,
  locate: Locate,
): WorkspaceResources {
  const resources = { ...defaultWorkspaceResources };
  for (const key of Object.keys(fields) as (keyof WorkspaceResources)[]) {
    const { name, show } = fields[key];
    const wish = written[key];
    const limit = limits[key] ?? Number.POSITIVE_INFINITY;
    if (wish !== undefined && wish > limit) {
      throw new ActionNeededError(
        "WORKSPACE_LIMIT_EXCEEDED",
        `${name}: ${show(wish)} is more than the ${show(limit)} that this platform gives a workspace`,
        {
          where: { file, ...locate(`/spec/resources/${name}`) },
          hint: `ask for ${show(limit)} or less, or ask its administrators for a higher limits.workspace.${name}`,
        },
      );
    }
    const value = wish ?? Math.min(resources[key] ?? Number.POSITIVE_INFINITY, limit);
    if (Number.isFinite(value)) resources[key] = value;
  }
  return resources;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)}Mi`;
}
