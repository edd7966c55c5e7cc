import type { ForgeEvent } from "../intake/to-event.ts";
import type { ForgeHost, ForgeProject } from "./forge.ts";

/**
 * Two Git hosts count their projects and people each for themselves. Of the further one, ids are shifted by this, beyond all that
 * a host has, and names begin with the host's: `github.com/acme/common`. GitHub has some 10^9 of them.
 */
export const idsPerHost = 1_000_000_000_000;

/** An id of the further host, as we call it. */
export function idOfFurther(id: number): number {
  return id + idsPerHost;
}

/** The id is of the further host. */
export function isOfFurther(id: number): boolean {
  return id >= idsPerHost;
}

/** What the further host itself calls a project; `undefined` for a path that is not one of its. */
export function pathOnFurther(name: string, path: string): string | undefined {
  return path.startsWith(`${name}/`) ? path.slice(name.length + 1) : undefined;
}

/** A project of the further host, as we call it. */
export function projectOfFurther(name: string, project: ForgeProject): ForgeProject {
  return { ...project, id: idOfFurther(project.id), path: `${name}/${project.path}` };
}

/** What a host says of its projects, in our names. Pure. */
export function eventOf({ name }: ForgeHost, event: ForgeEvent): ForgeEvent {
  if (name === undefined || event.kind === "ignored") return event;
  if (event.kind === "members-changed") {
    const { projectId, of } = event;
    return {
      kind: "members-changed",
      of: `${name}/${of}`,
      ...(projectId === undefined ? {} : { projectId: idOfFurther(projectId) }),
    };
  }
  const { projectId, projectPath } = event;
  const ours = { projectId: idOfFurther(projectId), projectPath: `${name}/${projectPath}` };
  if (event.kind !== "project-moved") return { ...event, ...ours };
  return { ...event, ...ours, from: event.from === undefined ? undefined : `${name}/${event.from}` };
}
