import { GraphQLError } from "graphql";
import { canReadCode, canSeeProject } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import { webUrl } from "../projects/project-json.ts";
import { commitJson } from "../repository/commit-json.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

const maxPage = 100; // GitLab's own
const maxFullPaths = 50; // GitLab's own

interface ProjectsArguments {
  ids?: string[] | null;
  fullPaths?: string[] | null;
  first?: number | null;
  after?: string | null;
}

/** Answers `graphQlSchema` for one caller: every field by its name, what costs something as a function. */
export class QueryRoot {
  readonly #context: ForgeContext;
  readonly #user: UserRecord | undefined;

  constructor(context: ForgeContext, user: UserRecord | undefined) {
    this.#context = context;
    this.#user = user;
  }

  project({ fullPath }: { fullPath: string }) {
    const project = this.#context.store.projectsByPath.first(fullPath.toLowerCase());
    return project && this.#sees(project) ? this.#project(project) : null;
  }

  /** The newest first. Who is not there, or not to be seen, is left out. */
  projects({ ids, fullPaths, first, after }: ProjectsArguments) {
    if (fullPaths && fullPaths.length > maxFullPaths) {
      throw new GraphQLError(`You cannot provide more than ${maxFullPaths} full_paths.`);
    }
    const below = after ? cursorId(after) : Number.POSITIVE_INFINITY;
    const size = Math.min(Math.max(first ?? maxPage, 0), maxPage);
    const wanted = this.#wanted(ids, fullPaths).filter(
      (project) => project.id < below && this.#sees(project),
    );
    const page = wanted.sort((a, b) => b.id - a.id).slice(0, size);
    const last = page.at(-1);
    return {
      nodes: page.map((project) => this.#project(project)),
      pageInfo: {
        endCursor: last ? Buffer.from(JSON.stringify({ id: String(last.id) })).toString("base64") : null,
        hasNextPage: wanted.length > page.length,
      },
    };
  }

  #wanted(ids: string[] | null | undefined, fullPaths: string[] | null | undefined): ProjectRecord[] {
    const { projects, projectsByPath } = this.#context.store;
    const named = ids && new Set(ids.map(projectId));
    const found = named ? [...named].flatMap((id) => projects.get(id) ?? []) : projects.all();
    if (!fullPaths) return found;
    const paths = new Set(fullPaths.map((path) => projectsByPath.first(path.toLowerCase())?.id));
    return found.filter(({ id }) => paths.has(id));
  }

  #sees(project: ProjectRecord): boolean {
    return canSeeProject(this.#context.store, this.#user, project, this.#context.clock());
  }

  #project(project: ProjectRecord) {
    const { name, path, fullPath, description, archived, visibility } = project;
    return {
      ...{ name, path, fullPath, description, archived, visibility },
      id: `gid://gitlab/Project/${project.id}`,
      webUrl: webUrl(this.#context, project),
      repository: () => this.#repository(project),
    };
  }

  #repository(project: ProjectRecord) {
    const { store, clock, repositories } = this.#context;
    if (!canReadCode(store, this.#user, project, clock())) return null;
    const gitDir = repositories.path(project.id);
    const exists = repositories.exists(project.id);
    return {
      exists,
      empty: () => !exists || !repositories.mayHaveBranches(project.id),
      rootRef: project.empty ? null : project.defaultBranch,
      tree: async () => {
        const head = await branchHead(gitDir, project.defaultBranch);
        return head === undefined ? null : { lastCommit: this.#commit(project, head) };
      },
    };
  }

  #commit(project: ProjectRecord, sha: string) {
    const { objects, repositories } = this.#context;
    const read = async () => {
      const commit = await objects.commit(repositories.path(project.id), sha);
      if (!commit) throw new Error(`the commit ${sha} of project ${project.id} is not there`);
      return commitJson(this.#context, project, commit);
    };
    return {
      sha,
      id: `gid://gitlab/Commit/${sha}`,
      shortId: sha.slice(0, 8),
      webUrl: `${webUrl(this.#context, project)}/-/commit/${sha}`,
      title: async () => (await read()).title,
      message: async () => (await read()).message,
      authoredDate: async () => (await read()).authored_date,
      committedDate: async () => (await read()).committed_date,
    };
  }
}

function projectId(globalId: string): number {
  const [, kind, id] = /^gid:\/\/gitlab\/([A-Za-z:]+)\/(\d{1,15})$/.exec(globalId) ?? [];
  if (kind === undefined) throw new GraphQLError(`${globalId} is not a valid GitLab ID.`);
  if (kind !== "Project") throw new GraphQLError(`${globalId} is not a valid ID for Project.`);
  return Number(id);
}

function cursorId(cursor: string): number {
  try {
    const { id } = JSON.parse(Buffer.from(cursor, "base64").toString("utf8")) as { id?: unknown };
    if (/^\d{1,15}$/.test(String(id))) return Number(id);
  } catch {
    // Not one of ours.
  }
  throw new GraphQLError("Please provide a valid cursor");
}
