import type { ForgeContext } from "../forge-context.ts";
import { readBlob } from "../git/read-blob.ts";
import type { NoteRecord, SuggestionRecord } from "../store/merge-request-records.ts";

const maxSuggestions = 20; // in one note
const maxReach = 100; // lines above and below the one the note stands at, GitLab's

export interface SuggestedLines {
  above: number;
  below: number;
  content: string;
}

/** Keeps what a note on a line of the new side suggests; after another text it is what that one suggests. */
export async function keepSuggestions(context: ForgeContext, note: NoteRecord): Promise<void> {
  const { store, git, repositories } = context;
  const before = store.suggestionsByNote.all(String(note.id));
  if (before.some((each) => each.appliedIn !== null)) return; // it tells what was taken over
  for (const each of before) await store.suggestions.remove(each.id);
  const { position } = note;
  if (!position || position.newLine === null || !note.target.startsWith("mr:")) return;
  const suggested = parseSuggestions(note.body);
  if (suggested.length === 0) return;
  const text = await readBlob(git, repositories.path(note.projectId), position.headSha, position.newPath);
  const lines = linesOf(text ?? "");
  for (const { above, below, content } of suggested) {
    const fromLine = Math.max(position.newLine - above, 1);
    const toLine = Math.min(position.newLine + below, lines.length);
    if (toLine < fromLine) continue;
    await store.suggestions.insert((id) => ({
      id,
      noteId: note.id,
      fromLine,
      toLine,
      fromContent: lines.slice(fromLine - 1, toLine).join(""),
      toContent: content,
      appliedIn: null,
    }));
  }
}

/** The fenced blocks named `suggestion`, with the lines above and below that they replace, too. */
export function parseSuggestions(body: string): SuggestedLines[] {
  const found: SuggestedLines[] = [];
  let open: SuggestedLines | undefined;
  for (const line of body.split(/\r?\n/)) {
    const head = /^```suggestion(?::-(\d{1,3})\+(\d{1,3}))?[ \t]*$/.exec(line);
    if (open && /^```[ \t]*$/.test(line)) {
      if (found.length < maxSuggestions) found.push(open);
      open = undefined;
    } else if (open) open.content += `${line}\n`;
    else if (head) {
      const reach = (text: string | undefined) => Math.min(Number(text ?? 0), maxReach);
      open = { above: reach(head[1]), below: reach(head[2]), content: "" };
    }
  }
  return found;
}

/** A text's lines, each with its line break. */
export function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

export function suggestionJson(context: ForgeContext, suggestion: SuggestionRecord) {
  const note = context.store.notes.get(suggestion.noteId);
  return {
    id: suggestion.id,
    from_line: suggestion.fromLine,
    to_line: suggestion.toLine,
    appliable: suggestion.appliedIn === null && note?.resolvedAt === null,
    applied: suggestion.appliedIn !== null,
    from_content: suggestion.fromContent,
    to_content: suggestion.toContent,
  };
}
