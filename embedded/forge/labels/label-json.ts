import type { ForgeContext } from "../forge-context.ts";
import type { LabelRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";

export function labelJson(label: LabelRecord) {
  return {
    id: label.id,
    name: label.name,
    description: label.description,
    description_html: label.description ?? "",
    text_color: "#FFFFFF",
    color: label.color,
    subscribed: false,
    priority: null,
    is_project_label: true,
    archived: false,
  };
}

/** A label inside webhooks; none for one that is gone. */
export function labelHookJson(context: ForgeContext, project: ProjectRecord, name: string) {
  const label = labelNamed(context, project, name);
  return label
    ? [
        {
          id: label.id,
          title: label.name,
          color: label.color,
          project_id: project.id,
          description: label.description,
          type: "ProjectLabel",
        },
      ]
    : [];
}

export function labelNamed(
  context: ForgeContext,
  project: ProjectRecord,
  name: string,
): LabelRecord | undefined {
  return context.store.labelsByProject.all(String(project.id)).find((label) => label.name === name);
}
