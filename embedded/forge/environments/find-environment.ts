import type { ForgeContext } from "../forge-context.ts";
import type { EnvironmentRecord } from "../pipelines/ci-records.ts";
import { tierOf } from "../pipelines/variables/predefined.ts";
import { environmentSlugOf } from "../pipelines/variables/slug.ts";

export function environmentByName(
  context: ForgeContext,
  projectId: number,
  name: string,
): EnvironmentRecord | undefined {
  return context.ci.store.environmentsByProject.all(String(projectId)).find((each) => each.name === name);
}

/** The environment of this name, made where there is none. */
export async function ensureEnvironment(
  context: ForgeContext,
  projectId: number,
  wanted: { name: string; tier?: string | null; externalUrl?: string | null; description?: string | null },
): Promise<EnvironmentRecord> {
  const found = environmentByName(context, projectId, wanted.name);
  if (found) return found;
  const now = context.clock().toISOString();
  return await context.ci.store.environments.insert((id) => ({
    id,
    projectId,
    name: wanted.name,
    slug: environmentSlugOf(wanted.name),
    description: wanted.description ?? null,
    externalUrl: wanted.externalUrl ?? null,
    state: "available",
    tier: wanted.tier ?? tierOf(wanted.name),
    autoStopAt: null,
    createdAt: now,
    updatedAt: now,
  }));
}
