import type { ForgeProject } from "../forge.ts";
import type { MergeRequest } from "../forge-merge-requests.ts";
import type { GitHubClient } from "./client.ts";
import { ask } from "./graphql.ts";
import { at, repositoryOf } from "./projects.ts";

// Through GraphQL, because REST lists pull requests of one repository at a time, and without what was said about them.
const fragment = `fragment pull on PullRequest {
  number title state isCrossRepository updatedAt url headRefName headRefOid baseRefName
  author { login ... on User { databaseId } ... on Bot { databaseId } }
  repository { databaseId } comments { totalCount } reviewThreads { totalCount } reviews { totalCount }
}`;

interface PullReply {
  number: number;
  title: string;
  state: "OPEN" | "CLOSED" | "MERGED";
  isCrossRepository: boolean;
  updatedAt: string;
  url: string;
  headRefName: string;
  headRefOid: string;
  baseRefName: string;
  author: { login: string; databaseId?: number } | null;
  repository: { databaseId: number };
  comments: { totalCount: number };
  reviewThreads: { totalCount: number } | null;
  reviews: { totalCount: number } | null;
}

interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

type WithPulls = { nameWithOwner: string; isArchived: boolean; pullRequests: Page<PullReply> };

const pageInfo = "pageInfo { hasNextPage endCursor }";
const ofProject = `query pulls($owner: String!, $repo: String!, $after: String) {
  repository(owner: $owner, name: $repo, followRenames: false) {
    nameWithOwner isArchived
    pullRequests(states: OPEN, first: 50, after: $after, orderBy: { field: CREATED_AT, direction: ASC }) { ${pageInfo} nodes { ...pull } }
  }
} ${fragment}`;
const ofGroup = `query pulls($org: String!, $after: String) { organization(login: $org) {
  repositories(first: 50, after: $after) { ${pageInfo} nodes {
    nameWithOwner isArchived
    pullRequests(states: OPEN, first: 10, orderBy: { field: CREATED_AT, direction: ASC }) { ${pageInfo} nodes { ...pull } }
  } }
} } ${fragment}`;
const one = `query pull($owner: String!, $repo: String!, $number: Int!) {
  repository(owner: $owner, name: $repo, followRenames: false) { pullRequest(number: $number) { ...pull } }
} ${fragment}`;

/** Open ones, oldest first; see `ForgeMergeRequests.listOpen`. */
export async function listOpen(
  client: GitHubClient,
  of: { group: string } | { project: string },
): Promise<MergeRequest[]> {
  const pulls = "group" in of ? await openOfGroup(client, of.group) : await openOfProject(client, of.project);
  return pulls.map(toMergeRequest);
}

export async function showPullRequest(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
): Promise<MergeRequest | undefined> {
  type Answer = { repository: { pullRequest: PullReply | null } | null };
  const found = (await ask<Answer>(client, one, { ...at(project), number })).repository?.pullRequest;
  return found ? toMergeRequest(found) : undefined;
}

async function openOfProject(client: GitHubClient, path: string): Promise<PullReply[]> {
  const names = repositoryOf(path);
  const found: PullReply[] = [];
  for (let after: string | null = null; names !== undefined; ) {
    type Answer = { repository: WithPulls | null };
    const answer: Partial<Answer> = await ask<Answer>(client, ofProject, { ...names, after });
    const page = answer.repository?.pullRequests;
    found.push(...(page?.nodes ?? []));
    if (!page?.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  return found;
}

async function openOfGroup(client: GitHubClient, org: string): Promise<PullReply[]> {
  const found: PullReply[] = [];
  for (let after: string | null = null; ; ) {
    type Answer = { organization: { repositories: Page<WithPulls> } | null };
    const answer: Partial<Answer> = await ask<Answer>(client, ofGroup, { org, after });
    const page = answer.organization?.repositories;
    for (const { nameWithOwner, isArchived, pullRequests } of page?.nodes ?? []) {
      if (isArchived) continue;
      const isWhole = !pullRequests.pageInfo.hasNextPage;
      found.push(...(isWhole ? pullRequests.nodes : await openOfProject(client, nameWithOwner)));
    }
    if (!page?.pageInfo.hasNextPage) return found;
    after = page.pageInfo.endCursor;
  }
}

function toMergeRequest(pull: PullReply): MergeRequest {
  const { number, title, author } = pull;
  // GitHub's time has whole seconds; with the counts, what was said within one of them is not overlooked.
  const counts = [pull.comments, pull.reviewThreads, pull.reviews].map((some) => some?.totalCount ?? 0);
  return {
    ...{ projectId: pull.repository.databaseId, iid: number, title },
    state: pull.state === "OPEN" ? "open" : pull.state === "MERGED" ? "merged" : "closed",
    sourceBranch: pull.headRefName,
    targetBranch: pull.baseRefName,
    fromFork: pull.isCrossRepository,
    head: pull.headRefOid,
    author: { id: author?.databaseId ?? 0, username: author?.login ?? "ghost" },
    updatedAt: `${pull.updatedAt} ${pull.headRefOid.slice(0, 12)} ${counts.join(".")}`,
    webUrl: pull.url,
  };
}
