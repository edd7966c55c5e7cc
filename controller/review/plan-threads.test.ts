import { expect, test } from "vitest";
import type { Diagnostic } from "#schemas/diagnostic";
import type { Discussion, MergeRequestDiff } from "../forge/forge-merge-requests.ts";
import { planThreads, type WantedThread } from "./plan-threads.ts";

const file = "digital_twins/tank/dt.yaml";
const diff: MergeRequestDiff = {
  version: { base: "b", start: "s", head: "h" },
  since: "",
  files: [
    {
      oldPath: file,
      newPath: file,
      lines: new Map([
        [1, 1],
        [4, undefined],
        [5, undefined],
        [6, 4],
      ]),
    },
  ],
};

function problem(line: number, message = "unknown field `stat`"): WantedThread {
  const diagnostic: Diagnostic = { code: "unknown-field", severity: "error", file, line, column: 1, message };
  return { diagnostic, line, body: message };
}

/** The threads as they are after a plan was carried out. */
function carriedOut(wanted: WantedThread[], before: Discussion[] = []): Discussion[] {
  const steps = planThreads(wanted, before, diff).steps;
  const after = structuredClone(before);
  for (const step of steps) {
    if (step.kind === "say") after.push(thread(step.note.body, {}));
    if (step.kind === "resolve") {
      const found = after.find(({ id }) => id === step.discussion);
      if (found) Object.assign(found, { isResolved: step.resolved, resolvedByUs: step.resolved });
    }
  }
  return after;
}

let threads = 0;
function thread(body: string, more: Partial<Discussion>, isOurs = true): Discussion {
  threads += 1;
  const author = { id: isOurs ? 1 : 2, username: isOurs ? "dtaas-bot" : "user2" };
  const note = { id: threads, body, author, isOurs, createdAt: "", updatedAt: "" };
  return {
    id: `d${threads}`,
    isThread: true,
    isResolved: false,
    resolvedByUs: false,
    notes: [note],
    ...more,
  };
}

test("each problem gets a thread on its own line, a line that is not shown is for the comment", () => {
  const plan = planThreads([problem(4), problem(5, "x must be a number"), problem(2, "elsewhere")], [], diff);
  expect(plan.steps).toMatchObject([
    { kind: "say", note: { at: { line: 4, oldLine: undefined, newPath: file } } },
    { kind: "say", note: { at: { line: 5 } } },
  ]);
  expect(plan.unthreaded).toMatchObject([{ line: 2 }]);
});

test("a line that the diff only shows has its number in the old text as well", () => {
  expect(planThreads([problem(6)], [], diff).steps).toMatchObject([
    { note: { at: { line: 6, oldLine: 4 } } },
  ]);
});

test("the same problem is never said twice, also when its line has moved", () => {
  const there = carriedOut([problem(4)]);
  expect(planThreads([problem(4)], there, diff).steps).toEqual([]);
  expect(planThreads([problem(5)], there, diff)).toEqual({ steps: [], unthreaded: [] });
});

test("the same mistake made twice has two threads, and mending one resolves one", () => {
  const there = carriedOut([problem(4), problem(5)]);
  expect(there).toHaveLength(2);
  expect(planThreads([problem(5)], there, diff).steps).toEqual([
    { kind: "resolve", discussion: there[1]?.id, resolved: true },
  ]);
});

test("what is mended is resolved, once; what comes back is opened again", () => {
  const open = carriedOut([problem(4)]);
  const mended = carriedOut([], open);
  expect(mended[0]).toMatchObject({ isResolved: true });
  expect(planThreads([], mended, diff).steps).toEqual([]);
  expect(planThreads([problem(5)], mended, diff).steps).toEqual([
    { kind: "resolve", discussion: mended[0]?.id, resolved: false },
  ]);
});

test("a thread that somebody else has resolved stays so while the problem is there", () => {
  const [only] = carriedOut([problem(4)]);
  const resolved = [{ ...(only as Discussion), isResolved: true, resolvedByUs: false }];
  expect(planThreads([problem(4)], resolved, diff).steps).toEqual([]);
});

test("threads of others are never touched, whatever their text pretends", () => {
  const [ours] = carriedOut([problem(4)]);
  const body = ours?.notes[0]?.body ?? "";
  const theirs = [thread(body, {}, false), thread("please look", {}, false)];
  const plan = planThreads([problem(4)], theirs, diff);
  expect(plan.steps).toMatchObject([{ kind: "say" }]);
  expect(planThreads([], theirs, diff).steps).toEqual([]);
});

test("a text that somebody changed is mended", () => {
  const [ours] = carriedOut([problem(4)]) as [Discussion];
  const [note] = ours.notes as [Discussion["notes"][number]];
  const changed = [{ ...ours, notes: [{ ...note, body: `${note.body} LGTM` }] }];
  expect(planThreads([problem(4)], changed, diff).steps).toMatchObject([{ kind: "edit", note: note.id }]);
});
