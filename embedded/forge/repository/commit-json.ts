import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";

/** A commit as in lists and inside branches. */
export function commitJson(context: ForgeContext, project: ProjectRecord, commit: GitCommit) {
  return {
    id: commit.id,
    short_id: commit.id.slice(0, 8),
    created_at: commit.committer.date,
    parent_ids: commit.parents,
    title: commit.message.split("\n", 1)[0] ?? "",
    message: commit.message,
    author_name: commit.author.name,
    author_email: commit.author.email,
    authored_date: commit.author.date,
    committer_name: commit.committer.name,
    committer_email: commit.committer.email,
    committed_date: commit.committer.date,
    trailers: trailersOf(commit.message),
    extended_trailers: extendedTrailersOf(commit.message),
    web_url: `${webUrl(context, project)}/-/commit/${commit.id}`,
  };
}

/** `Key: value` lines in the last paragraph; of several with one key the last counts. */
function trailersOf(message: string): Record<string, string> {
  return Object.fromEntries(trailerLines(message));
}

function extendedTrailersOf(message: string): Record<string, string[]> {
  const trailers = new Map<string, string[]>();
  for (const [key, value] of trailerLines(message)) trailers.set(key, [...(trailers.get(key) ?? []), value]);
  return Object.fromEntries(trailers);
}

function trailerLines(message: string): [string, string][] {
  const paragraphs = message.trimEnd().split(/\n\n+/);
  if (paragraphs.length < 2) return [];
  const lines = (paragraphs.at(-1) ?? "").split("\n").map((line) => /^([A-Za-z0-9-]+): (.+)$/.exec(line));
  const found = lines.flatMap((match): [string, string][] =>
    match?.[1] && match[2] ? [[match[1], match[2]]] : [],
  );
  return found.length === lines.length ? found : [];
}
