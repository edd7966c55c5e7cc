import type { ForgeContext } from "../forge-context.ts";
import { badRequest } from "../http/api-error.ts";
import type { LabelRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";
import { labelNamed } from "./label-json.ts";

const maxNameLength = 255;
const maxLabels = 1_000; // of one project
const maxOnOne = 100; // on one merge request
const defaultColor = "#6699cc";

/** The names as they are kept, each once; what the project does not know yet it gets. Throws `ApiError` 400. */
export async function ensureLabels(
  context: ForgeContext,
  project: ProjectRecord,
  names: readonly string[],
): Promise<string[]> {
  const wanted = [...new Set(names.map((name) => name.trim()).filter((name) => name !== ""))];
  if (wanted.length > maxOnOne) throw badRequest({ labels: [`are too many (maximum is ${maxOnOne})`] });
  for (const name of wanted) {
    if (!labelNamed(context, project, name)) await createLabel(context, project, { name });
  }
  return wanted;
}

/** Throws `ApiError` 400 for a name that is too long, or one too many. */
export async function createLabel(
  context: ForgeContext,
  project: ProjectRecord,
  wanted: { name: string; color?: string; description?: string | null },
): Promise<LabelRecord> {
  checkLabelName(wanted.name);
  const { labels, labelsByProject } = context.store;
  if (labelsByProject.all(String(project.id)).length >= maxLabels) {
    throw badRequest({ labels: [`are too many (maximum is ${maxLabels})`] });
  }
  return await labels.insert((id) => ({
    id,
    projectId: project.id,
    name: wanted.name,
    color: wanted.color ?? defaultColor,
    description: wanted.description ?? null,
  }));
}

export function checkLabelName(name: string): void {
  if (name.length > maxNameLength) {
    throw badRequest({ title: [`is too long (maximum is ${maxNameLength} characters)`] });
  }
  if (name.includes(",")) throw badRequest({ title: ["is invalid"] });
}
