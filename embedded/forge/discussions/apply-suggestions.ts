import type { ForgeContext } from "../forge-context.ts";
import { readBlob } from "../git/read-blob.ts";
import { branchHead } from "../git/refs.ts";
import { badRequest, forbidden } from "../http/api-error.ts";
import { canPushTo } from "../merge-requests/merge-request-rights.ts";
import { commitFiles } from "../repository/commit-files.ts";
import type { FileAction } from "../repository/file-actions.ts";
import { personLine } from "../repository/person-line.ts";
import type { MergeRequestRecord, NoteRecord, SuggestionRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { resolveNotes } from "./change-note.ts";
import { linesOf } from "./suggestions.ts";

export interface Offered {
  suggestion: SuggestionRecord;
  note: NoteRecord;
}

/**
 * Takes suggestions over, all in one commit on the source branch, and resolves their threads. It takes the right to push there.
 * Throws `ApiError` 403, and 400 where the lines are not what they were.
 */
export async function applySuggestions(
  context: ForgeContext,
  { project, mergeRequest }: { project: ProjectRecord; mergeRequest: MergeRequestRecord },
  offered: readonly Offered[],
  { by, message }: { by: UserRecord; message?: string },
): Promise<SuggestionRecord[]> {
  const { store, repositories } = context;
  const source = store.projects.get(mergeRequest.sourceProjectId);
  const branch = mergeRequest.sourceBranch;
  if (!source || !canPushTo(context, source, branch, by)) throw forbidden();
  const head = await branchHead(repositories.path(source.id), branch);
  const isOpen = mergeRequest.state === "opened" && head !== undefined;
  if (!isOpen || offered.some(({ suggestion }) => suggestion.appliedIn !== null)) {
    throw badRequest("400 Bad request - Can't apply this suggestion.");
  }
  const byFile = new Map<string, SuggestionRecord[]>();
  for (const { suggestion, note } of offered) {
    const path = note.position?.newPath ?? "";
    byFile.set(path, [...(byFile.get(path) ?? []), suggestion]);
  }
  const actions: FileAction[] = [];
  for (const [path, suggestions] of byFile) {
    const text = await readBlob(context.git, repositories.path(source.id), head, path);
    const content = Buffer.from(withSuggestions(text ?? "", suggestions));
    const last = await lastCommit(context, repositories.path(source.id), head, path);
    // A push that comes between is not written over.
    actions.push({ action: "update", path, content, lastCommitId: last });
  }
  const commit = await commitFiles(context, source, by, {
    branch,
    actions,
    message: message ?? defaultMessage(context, offered, byFile.size, by),
  });
  const applied = await Promise.all(
    offered.map(({ suggestion }) => store.suggestions.update(suggestion.id, { appliedIn: commit.id })),
  );
  for (const { note } of offered) {
    const thread = store.notesByTarget
      .all(note.target)
      .filter((each) => each.discussionId === note.discussionId);
    await resolveNotes(context, { kind: "MergeRequest", project, mergeRequest }, thread, by, true).catch(
      () => {},
    );
  }
  return applied;
}

async function lastCommit(
  context: ForgeContext,
  gitDir: string,
  head: string,
  path: string,
): Promise<string> {
  return (await context.git.text(gitDir, ["log", "--max-count=1", "--format=%H", head, "--", path])).trim();
}

/** The text with all replacements, from the last line to the first so that numbers hold. */
function withSuggestions(text: string, suggestions: readonly SuggestionRecord[]): string {
  const lines = linesOf(text);
  let end = lines.length + 1;
  for (const each of [...suggestions].sort((a, b) => b.fromLine - a.fromLine)) {
    const current = lines.slice(each.fromLine - 1, each.toLine).join("");
    if (current !== each.fromContent || each.toLine >= end) {
      throw badRequest("400 Bad request - Can't apply as the source code was changed.");
    }
    end = each.fromLine;
    lines.splice(each.fromLine - 1, each.toLine - each.fromLine + 1, each.toContent);
  }
  return lines.join("");
}

function defaultMessage(
  context: ForgeContext,
  offered: readonly Offered[],
  files: number,
  by: UserRecord,
): string {
  const authors = [...new Set(offered.map(({ note }) => note.authorId))].filter((id) => id !== by.id);
  const trailers = authors
    .flatMap((id) => context.store.users.get(id) ?? [])
    .map((user) => `Co-authored-by: ${personLine(user.name, user.email)}`);
  const head = `Apply ${offered.length} suggestion(s) to ${files} file(s)`;
  return [head, ...(trailers.length > 0 ? ["", ...trailers] : [])].join("\n");
}
