import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { Discussion, NewNote, Note, NoteEdit } from "../forge-merge-requests.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing, undefinedWhenMissing } from "./errors.ts";
import { ask } from "./graphql.ts";
import { at } from "./projects.ts";

const ghost = { id: 0, username: "ghost" }; // who wrote it is no longer there
// GitHub has no answers to comments: one of ours ends with the comment that it answers, which nobody sees.
const answerMark = /\n\n<!-- answer to (comment-\d+) -->$/;

interface CommentReply {
  databaseId: number;
  body: string;
  author: { login: string; databaseId?: number } | null;
  createdAt: string;
  updatedAt: string;
}

interface ThreadReply {
  id: string;
  isResolved: boolean;
  resolvedBy: { login: string } | null;
  comments: { nodes: CommentReply[] };
}

interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

const threadsQuery = `query threads($owner: String!, $repo: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
    reviewThreads(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved resolvedBy { login } comments(first: 50) { nodes {
        databaseId body createdAt updatedAt author { login ... on User { databaseId } ... on Bot { databaseId } }
      } } }
    }
  } }
}`;

/** What people and we said, oldest first: comments, and threads on lines with what was said in them. */
export async function listDiscussions(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
  own: string,
): Promise<Discussion[]> {
  const [comments, threads] = await Promise.all([
    listComments(client, project, number, own),
    listThreads(client, project, number, own),
  ]);
  const began = ({ notes }: Discussion) => notes[0]?.createdAt ?? "";
  return [...comments, ...threads].sort((a, b) => began(a).localeCompare(began(b)));
}

async function listComments(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
  own: string,
): Promise<Discussion[]> {
  const which = { ...at(project), issue_number: number, per_page: 100 };
  const listed = await undefinedWhenMissing(client.paginate(client.rest.issues.listComments, which));
  const found = new Map<string, { id: string; notes: Note[] }>();
  for (const { id, body = "", user, created_at: createdAt, updated_at: updatedAt } of listed ?? []) {
    const author = user ? { id: user.id, username: user.login } : ghost;
    const isOurs = author.username === own;
    const answers = isOurs ? found.get(answerMark.exec(body)?.[1] ?? "") : undefined;
    const said = isOurs ? body.replace(answerMark, "") : body;
    const note: Note = { id, body: said, author, isOurs, createdAt, updatedAt };
    if (answers) answers.notes.push(note);
    else found.set(commentId(id), { id: commentId(id), notes: [note] });
  }
  return [...found.values()].map((one) => ({
    ...one,
    isThread: false,
    isResolved: false,
    resolvedByUs: false,
  }));
}

async function listThreads(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
  own: string,
): Promise<Discussion[]> {
  const found: Discussion[] = [];
  for (let after: string | null = null; ; ) {
    type Answer = { repository: { pullRequest: { reviewThreads: Page<ThreadReply> } | null } | null };
    const answer: Partial<Answer> = await ask<Answer>(client, threadsQuery, {
      ...at(project),
      number,
      after,
    });
    const page = answer.repository?.pullRequest?.reviewThreads;
    for (const { id, isResolved, resolvedBy, comments } of page?.nodes ?? []) {
      const resolvedByUs = isResolved && resolvedBy?.login === own;
      const notes = comments.nodes.map((comment) => toNote(comment, own));
      if (notes.length > 0) found.push({ id, isThread: true, isResolved, resolvedByUs, notes });
    }
    if (!page?.pageInfo.hasNextPage) return found;
    after = page.pageInfo.endCursor;
  }
}

export async function sayNote(
  client: GitHubClient,
  project: ForgeProject,
  number: number,
  { body, at: line, discussion }: NewNote,
): Promise<number | undefined> {
  const which = { ...at(project), pull_number: number };
  try {
    if (line !== undefined) {
      const { newPath: path, line: lineNumber, version } = line;
      const place = { path, line: lineNumber, side: "RIGHT" as const, commit_id: version.head };
      return (await client.rest.pulls.createReviewComment({ ...which, ...place, body })).data.id;
    }
    const { issues, pulls } = client.rest;
    const comment = { ...at(project), issue_number: number };
    if (discussion === undefined) return (await issues.createComment({ ...comment, body })).data.id;
    if (isComment(discussion)) {
      return (await issues.createComment({ ...comment, body: answering(body, discussion) })).data.id;
    }
    const first = await firstCommentOf(client, discussion);
    return (await pulls.createReplyForReviewComment({ ...which, comment_id: first, body })).data.id;
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    // The diff moved on since it was read, or the host does not take the line.
    if (line !== undefined && error.status === 422) return undefined;
    throw new ActionNeededError("NOTE_REFUSED", `GitHub refuses the comment: ${error.message}`, {
      cause: error,
    });
  }
}

export async function editNote(
  client: GitHubClient,
  project: ForgeProject,
  { discussion, note, body }: NoteEdit,
): Promise<void> {
  const which = { ...at(project), comment_id: note };
  const isAnswer = isComment(discussion) && discussion !== commentId(note);
  await orMissing(
    isComment(discussion)
      ? client.rest.issues.updateComment({ ...which, body: isAnswer ? answering(body, discussion) : body })
      : client.rest.pulls.updateReviewComment({ ...which, body }),
  );
}

/** Comments are no threads, and cannot be resolved. */
export async function resolveThread(
  client: GitHubClient,
  { discussion, resolved }: { discussion: string; resolved: boolean },
): Promise<void> {
  if (isComment(discussion))
    throw new ActionNeededError("NOTE_REFUSED", "GitHub resolves threads on lines only");
  const name = resolved ? "resolveReviewThread" : "unresolveReviewThread";
  const query = `mutation mark($id: ID!) { ${name}(input: { threadId: $id }) { thread { id } } }`;
  const answer = await ask<Record<string, { thread: { id: string } | null } | null>>(client, query, {
    id: discussion,
  });
  if (!answer[name]?.thread) throw new ActionNeededError("NOTE_NOT_FOUND", "GitHub has no such thread");
}

async function firstCommentOf(client: GitHubClient, thread: string): Promise<number> {
  const query = `query first($id: ID!) { node(id: $id) { ... on PullRequestReviewThread {
    comments(first: 1) { nodes { databaseId } } } } }`;
  type Answer = { node: { comments?: { nodes: { databaseId: number }[] } } | null };
  const first = (await ask<Answer>(client, query, { id: thread })).node?.comments?.nodes[0]?.databaseId;
  if (first !== undefined) return first;
  throw new ActionNeededError("NOTE_NOT_FOUND", "GitHub has no such thread");
}

async function orMissing(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    const code = isMissing(error) ? "NOTE_NOT_FOUND" : "NOTE_REFUSED";
    throw new ActionNeededError(code, `GitHub refuses the change of a comment: ${error.message}`, {
      cause: error,
    });
  }
}

function commentId(id: number): string {
  return `comment-${id}`;
}

function isComment(discussion: string): boolean {
  return /^comment-\d+$/.test(discussion);
}

function answering(body: string, discussion: string): string {
  return `${body}\n\n<!-- answer to ${discussion} -->`;
}

function toNote({ databaseId: id, body, author, createdAt, updatedAt }: CommentReply, own: string): Note {
  const by = author ? { id: author.databaseId ?? 0, username: author.login } : ghost;
  return { id, body, author: by, isOurs: by.username === own, createdAt, updatedAt };
}
