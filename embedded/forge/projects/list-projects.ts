import type { Parameters } from "../http/parameters.ts";
import type { ProjectRecord } from "../store/records.ts";

const orders = ["id", "name", "path", "created_at", "updated_at", "last_activity_at"] as const;

/** The filters and orders all project lists share. */
export function listProjects(projects: readonly ProjectRecord[], parameters: Parameters): ProjectRecord[] {
  const search = parameters.filled("search")?.toLowerCase();
  const inPath = parameters.boolean("search_namespaces") ?? false;
  const archived = parameters.boolean("archived");
  const idAfter = parameters.integer("id_after");
  const idBefore = parameters.integer("id_before");
  const visibility = parameters.choice("visibility", ["private", "internal", "public"]);
  const topics = parameters.texts("topic") ?? [];
  const order = parameters.choice("order_by", orders) ?? "created_at";
  const direction = parameters.choice("sort", ["asc", "desc"]) ?? "desc";
  const found = projects.filter(
    (project) =>
      (idAfter === undefined || project.id > idAfter) &&
      (idBefore === undefined || project.id < idBefore) &&
      (archived === undefined || project.archived === archived) &&
      (visibility === undefined || project.visibility === visibility) &&
      topics.every((topic) => project.topics.includes(topic)) &&
      (search === undefined ||
        [project.name, inPath ? project.fullPath : project.path].some((text) =>
          text.toLowerCase().includes(search),
        )),
  );
  const sign = direction === "asc" ? 1 : -1;
  return found.sort((a, b) => sign * (compare(a, b, order) || a.id - b.id));
}

function compare(a: ProjectRecord, b: ProjectRecord, order: (typeof orders)[number]): number {
  switch (order) {
    case "id":
      return a.id - b.id;
    case "name":
      return byText(a.name.toLowerCase(), b.name.toLowerCase());
    case "path":
      return byText(a.path, b.path);
    case "created_at":
      return byText(a.createdAt, b.createdAt);
    case "updated_at":
      return byText(a.updatedAt, b.updatedAt);
    case "last_activity_at":
      return byText(a.lastActivityAt, b.lastActivityAt);
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
