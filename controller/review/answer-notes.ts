import type { Discussion, ForgeMergeRequests, Note } from "../forge/forge-merge-requests.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import {
  type Answer,
  answerCommand,
  type CommandDeps,
  type CommandPlace,
  runWords,
} from "./commands/answer-command.ts";
import { parseCommand } from "./commands/parse-command.ts";
import { code, prose } from "./markdown.ts";
import { markOf, withMark } from "./marker.ts";
import type { FollowedRun, ReviewMemory } from "./review-memory.ts";

const maxAgeMs = 24 * 3600 * 1000; // older commands that nobody has seen belong to another day
const editedMs = 2_000; // hosts give both times of a new note a little apart
const maxRemembered = 5_000; // notes of one merge request; beyond that, replies on the host tell what was answered

export interface NoteDeps extends CommandDeps {
  mergeRequests: Pick<ForgeMergeRequests, "say" | "edit">;
  runs: Pick<RunArchive, "get">;
  nowMs(): number;
}

/** Notes of others that ask something and have no answer yet, oldest first. Pure. */
export function openNotes(
  discussions: readonly Discussion[],
  memory: ReviewMemory,
): { discussion: string; note: Note }[] {
  const seen = new Set(memory.notes);
  const answered = new Set<number>();
  for (const { notes } of discussions) {
    for (const note of notes) {
      const [, id] = /^reply (\d+)$/.exec(note.isOurs ? (markOf(note.body) ?? "") : "") ?? [];
      if (id !== undefined) answered.add(Number(id));
    }
  }
  return discussions.flatMap(({ id, notes }) =>
    notes
      .filter((note) => !note.isOurs && !seen.has(note.id) && !answered.has(note.id))
      .map((note) => ({ discussion: id, note })),
  );
}

/**
 * Answers every note that asks something, once each: in its own thread, after it was done. What it did is remembered by
 * `remember` before the next one is looked at.
 */
export async function answerNotes(
  deps: NoteDeps,
  place: CommandPlace,
  discussions: readonly Discussion[],
  memory: ReviewMemory,
  remember: (memory: ReviewMemory) => Promise<void>,
): Promise<ReviewMemory> {
  let now = memory;
  for (const { discussion, note } of openNotes(discussions, memory)) {
    const answer = await answerTo(deps, place, note);
    let runs = now.runs;
    if (answer) {
      const { project, mergeRequest } = place;
      const body = withMark(`reply ${note.id}`, answer.body);
      const reply = await deps.mergeRequests.say(project, mergeRequest.iid, { body, discussion });
      if (reply !== undefined && answer.run)
        runs = [...runs, { discussion, reply, note: note.id, ...answer.run }];
    }
    const notes = [...now.notes, note.id].slice(-maxRemembered);
    now = { ...now, notes, runs, preview: answer?.preview ?? now.preview };
    await remember(now);
  }
  return now;
}

async function answerTo(deps: NoteDeps, place: CommandPlace, note: Note): Promise<Answer | undefined> {
  const command = parseCommand(note.body);
  if (!command || deps.nowMs() - Date.parse(note.createdAt) > maxAgeMs) return undefined;
  // A maintainer may change what somebody else has written, and would act with that person's rights.
  if (Date.parse(note.updatedAt) - Date.parse(note.createdAt) > editedMs) {
    return { body: "This note was edited before I read it. Write it as a new one." };
  }
  return await answerCommand(deps, place, { note, command });
}

/** Brings replies about runs up to what became of them; those that have ended are followed no longer. */
export async function followRuns(
  deps: Pick<NoteDeps, "mergeRequests" | "runs">,
  place: Pick<CommandPlace, "project"> & { iid: number },
  discussions: readonly Discussion[],
  followed: readonly FollowedRun[],
): Promise<FollowedRun[]> {
  const still: FollowedRun[] = [];
  for (const one of followed) {
    const { discussion, reply, note, user, twin, id } = one;
    const shown = discussions.find((each) => each.id === discussion)?.notes.find((each) => each.id === reply);
    const run = await deps.runs.get(user, twin, id);
    if (!run || !shown?.isOurs) {
      if (run && !shown && run.state !== "ended") still.push(one); // it was said a moment ago
      continue;
    }
    const said = describe(run);
    const body = withMark(
      `reply ${note}`,
      runWords({ operation: run.operation ?? "", user, twin, id, said }),
    );
    if (shown.body.replaceAll("\r\n", "\n").trim() !== body.trim())
      await deps.mergeRequests.edit(place.project, place.iid, { discussion, note: reply, body });
    if (run.state !== "ended") still.push(one);
  }
  return still;
}

function describe(run: {
  state: string;
  outcome: string | null;
  exitCode: number | null;
  reason: string | null;
}): string {
  if (run.state === "waiting") return "accepted";
  if (run.state !== "ended") return run.state;
  const exit = run.exitCode === null ? "" : ` with exit code ${run.exitCode}`;
  const reason = run.reason === null ? "" : `: ${prose(run.reason)}`;
  return `**${code(run.outcome ?? "ended")}**${exit}${reason}`;
}
