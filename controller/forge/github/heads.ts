import pLimit from "p-limit";
import type { ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { ask } from "./graphql.ts";
import { repositoryOf } from "./projects.ts";

const projectsPerQuestion = 50;
const questionsAtOnce = 4;
const pauseAfterFailureMs = 60_000; // a host that refused is not asked again each time

interface Repository {
  databaseId?: unknown;
  isEmpty?: unknown;
  defaultBranchRef?: { target?: { oid?: unknown } | null } | null;
}

/** Heads of default branches through GraphQL: one question for fifty projects, where REST needs one for each. */
export class Heads {
  readonly #client: GitHubClient;
  #pausedUntilMs = 0; // by the clock that is never set

  constructor(client: GitHubClient) {
    this.#client = client;
  }

  /** What GitHub tells plainly, by project id; see `Forge.heads`. Whatever goes wrong, `Forge.head` is asked instead. */
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

  async #ask(projects: readonly ForgeProject[], heads: Map<number, string | undefined>): Promise<void> {
    if (performance.now() < this.#pausedUntilMs) return;
    const { query, variables } = questionFor(projects);
    const answer = await ask<Record<string, Repository | null>>(this.#client, query, variables).catch(() => {
      this.#pausedUntilMs = performance.now() + pauseAfterFailureMs;
      return {} as Partial<Record<string, Repository | null>>;
    });
    projects.forEach(({ id }, index) => {
      const repository = answer[`r${index}`];
      if (repository?.databaseId !== id) return; // another one has its name now
      const oid = repository.defaultBranchRef?.target?.oid;
      if (repository.isEmpty === true) heads.set(id, undefined);
      else if (typeof oid === "string" && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(oid)) heads.set(id, oid);
    });
  }
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
