import type { ForgeProject } from "../forge.ts";
import { HeadQuestions, type ToldHead } from "../head-questions.ts";
import type { GitLabClient } from "./client.ts";
import { graphQl } from "./connection.ts";

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

/** Heads of default branches through GitLab's GraphQL. */
export function gitLabHeads(client: GitLabClient): HeadQuestions {
  return new HeadQuestions((projects) => askForHeads(client, projects), pauseAfterFailureMs);
}

async function askForHeads(
  client: GitLabClient,
  projects: readonly ForgeProject[],
): Promise<Map<number, ToldHead>> {
  const ids = projects.map(({ id }) => globalId(id));
  const { body } = await client.projects.requester.post(graphQl, { body: { query, variables: { ids } } });
  const nodes = (body as Answer | null)?.data?.projects?.nodes;
  if (!Array.isArray(nodes)) throw new Error("GitLab tells nothing: it refuses questions with status 200");
  const repositories = new Map<unknown, Repository | null | undefined>(
    nodes.map((node) => [node?.id, node?.repository]),
  );
  return new Map(
    projects.map(({ id }) => {
      const repository = repositories.get(globalId(id));
      return [id, { isEmpty: repository?.empty === true, commit: repository?.tree?.lastCommit?.sha }];
    }),
  );
}

function globalId(projectId: number): string {
  return `gid://gitlab/Project/${projectId}`;
}
