import { createHash } from "node:crypto";
import type { Diagnostic } from "#schemas/diagnostic";
import type { Discussion, MergeRequestDiff, NewNote } from "../forge/forge-merge-requests.ts";
import { markOf, withMark } from "./marker.ts";

/** A problem as a thread on a line of the branch. */
export interface WantedThread {
  diagnostic: Diagnostic;
  /** Line in the branch itself; `undefined` where the line comes from the target branch. */
  line: number | undefined;
  body: string;
}

export type ThreadStep =
  | { kind: "say"; note: NewNote; diagnostic: Diagnostic }
  | { kind: "edit"; discussion: string; note: number; body: string }
  | { kind: "resolve"; discussion: string; resolved: boolean };

export interface ThreadPlan {
  steps: ThreadStep[];
  /** Problems whose line the diff does not show: for the comment. */
  unthreaded: Diagnostic[];
}

/**
 * From the problems there are and the threads there are: what to say, mend, resolve and open again. The same problem never has
 * two threads, also when its line moves. A thread that somebody else has resolved stays so; those of others are not looked at. Pure.
 */
export function planThreads(
  wanted: readonly WantedThread[],
  discussions: readonly Discussion[],
  diff: MergeRequestDiff,
): ThreadPlan {
  const there = ownThreads(discussions);
  const plan: ThreadPlan = { steps: [], unthreaded: [] };
  const keys = problemKeys(wanted.map(({ diagnostic }) => diagnostic));
  for (const [index, { diagnostic, line, body }] of wanted.entries()) {
    const key = keys[index] ?? "";
    const text = withMark(`problem ${key}`, body);
    const thread = there.get(key);
    there.delete(key);
    const at = positionOf(diagnostic.file, line, diff);
    if (!thread) {
      if (at) plan.steps.push({ kind: "say", note: { body: text, at }, diagnostic });
      else plan.unthreaded.push(diagnostic);
      continue;
    }
    const [first] = thread.notes;
    if (first && first.body.replaceAll("\r\n", "\n").trim() !== text.trim())
      plan.steps.push({ kind: "edit", discussion: thread.id, note: first.id, body: text });
    if (thread.isResolved && thread.resolvedByUs)
      plan.steps.push({ kind: "resolve", discussion: thread.id, resolved: false });
  }
  for (const { id, isThread, isResolved } of there.values()) {
    if (isThread && !isResolved) plan.steps.push({ kind: "resolve", discussion: id, resolved: true });
  }
  return plan;
}

/** Threads that we began, by problem; of two for the same one the older. */
function ownThreads(discussions: readonly Discussion[]): Map<string, Discussion> {
  const found = new Map<string, Discussion>();
  for (const discussion of discussions) {
    const [first] = discussion.notes;
    const key = first?.isOurs ? /^problem ([0-9a-f]+)$/.exec(markOf(first.body) ?? "")?.[1] : undefined;
    if (key !== undefined && !found.has(key)) found.set(key, discussion);
  }
  return found;
}

/**
 * What a problem is known by from push to push: not by its line, which moves. Of problems that are the same but for their place,
 * the first keeps the key of the first, and so on. Pure.
 */
function problemKeys(diagnostics: readonly Diagnostic[]): string[] {
  const counts = new Map<string, number>();
  return diagnostics.map(({ file, code, message }) => {
    const what = JSON.stringify([file, code, message]);
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    return createHash("sha256").update(`${what} ${count}`).digest("hex").slice(0, 32);
  });
}

function positionOf(file: string, line: number | undefined, diff: MergeRequestDiff): NewNote["at"] {
  const changed = diff.files.find(({ newPath }) => newPath === file);
  if (line === undefined || !changed?.lines.has(line)) return undefined;
  const { oldPath, newPath, lines } = changed;
  return { version: diff.version, oldPath, newPath, line, oldLine: lines.get(line) };
}
