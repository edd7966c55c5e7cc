import type { ForgeProject } from "../forge.ts";
import { HeadQuestions, type ToldHead } from "../head-questions.ts";
import type { GitHubClient } from "./client.ts";
import { ask } from "./graphql.ts";
import { repositoryOf } from "./projects.ts";

const pauseAfterFailureMs = 60_000; // a host that refused is not asked again each time

interface Repository {
  databaseId?: unknown;
  isEmpty?: unknown;
  defaultBranchRef?: { target?: { oid?: unknown } | null } | null;
}

/** Heads of default branches through GitHub's GraphQL. */
export function gitHubHeads(client: GitHubClient): HeadQuestions {
  return new HeadQuestions((projects) => askForHeads(client, projects), pauseAfterFailureMs);
}

async function askForHeads(
  client: GitHubClient,
  projects: readonly ForgeProject[],
): Promise<Map<number, ToldHead>> {
  const { query, variables } = questionFor(projects);
  const answer = await ask<Record<string, Repository | null>>(client, query, variables);
  const heads = new Map<number, ToldHead>();
  projects.forEach(({ id }, index) => {
    const repository = answer[`r${index}`];
    if (repository?.databaseId !== id) return; // another one has its name now
    heads.set(id, {
      isEmpty: repository.isEmpty === true,
      commit: repository.defaultBranchRef?.target?.oid,
    });
  });
  return heads;
}

/** One field for each: GraphQL knows repositories by their two names. */
function questionFor(projects: readonly ForgeProject[]): {
  query: string;
  variables: Record<string, string>;
} {
  const variables: Record<string, string> = {};
  const parameters: string[] = [];
  const fields = projects.map(({ path }, index) => {
    const { owner, repo } = repositoryOf(path) ?? { owner: "", repo: "" };
    variables[`o${index}`] = owner;
    variables[`n${index}`] = repo;
    parameters.push(`$o${index}: String!, $n${index}: String!`);
    return `r${index}: repository(owner: $o${index}, name: $n${index}, followRenames: false) { ...head }`;
  });
  const fragment = "fragment head on Repository { databaseId isEmpty defaultBranchRef { target { oid } } }";
  return { query: `query heads(${parameters.join(", ")}) { ${fields.join("\n")} }\n${fragment}`, variables };
}
