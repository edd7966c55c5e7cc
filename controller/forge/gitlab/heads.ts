import pLimit from "p-limit";
import type { ForgeProject } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { graphQl } from "./connection.ts";

const projectsPerQuestion = 50; // GitLab answers 100 at most; each costs it some calls to its Git storage
const questionsAtOnce = 4;
const pauseAfterFailureMs = 10 * 60_000; // a host without GraphQL is not asked again each time

// Without a path, the last commit of a tree is the commit itself that the branch points to, merges included.
const query = `query heads($ids: [ID!]) {
  projects(ids: $ids) {
    nodes { id repository { empty tree { lastCommit { sha } } } }
  }
}`;

interface Repository {
  empty?: unknown;
  tree?: { lastCommit?: { sha?: unknown } | null } | null;
}

interface Answer {
  data?: { projects?: { nodes?: ({ id?: unknown; repository?: Repository | null } | null)[] } | null } | null;
}

/** Heads of default branches through GitLab's GraphQL: one question for fifty projects, where REST needs one for each. */
export class Heads {
  readonly #client: GitLabClient;
  #pausedUntilMs = 0; // by the clock that is never set

  constructor(client: GitLabClient) {
    this.#client = client;
  }

  /** What GitLab tells plainly, by project id; see `Forge.heads`. */
  async of(projects: readonly ForgeProject[]): Promise<Map<number, string | undefined>> {
    const heads = new Map<number, string | undefined>();
    const limit = pLimit(questionsAtOnce);
    const questions: ForgeProject[][] = [];
    for (let at = 0; at < projects.length; at += projectsPerQuestion) {
      questions.push(projects.slice(at, at + projectsPerQuestion));
    }
    await Promise.all(questions.map((some) => limit(() => this.#ask(some, heads))));
    return heads;
  }

  /** Whatever goes wrong here, `Forge.head` is asked instead and says so where it matters. */
  async #ask(projects: readonly ForgeProject[], heads: Map<number, string | undefined>): Promise<void> {
    if (performance.now() < this.#pausedUntilMs) return;
    const repositories = await this.#repositories(projects.map(({ id }) => globalId(id))).catch(
      () => undefined,
    );
    if (repositories === undefined) {
      this.#pausedUntilMs = performance.now() + pauseAfterFailureMs;
      return;
    }
    for (const { id } of projects) {
      const repository = repositories.get(globalId(id));
      const sha = repository?.tree?.lastCommit?.sha;
      if (repository?.empty === true) heads.set(id, undefined);
      else if (typeof sha === "string" && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(sha)) heads.set(id, sha);
    }
  }

  /** By global id; `undefined` for an answer that tells nothing, as GitLab refuses questions with status 200. */
  async #repositories(ids: string[]): Promise<Map<unknown, Repository | null | undefined> | undefined> {
    const options = { body: { query, variables: { ids } } };
    const { body } = await this.#client.projects.requester.post(graphQl, options);
    const nodes = (body as Answer | null)?.data?.projects?.nodes;
    return Array.isArray(nodes) ? new Map(nodes.map((node) => [node?.id, node?.repository])) : undefined;
  }
}

function globalId(projectId: number): string {
  return `gid://gitlab/Project/${projectId}`;
}
