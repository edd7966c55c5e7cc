import type { Parts } from "./openapi-library.ts";
import { itemsOf, record, ref } from "./openapi-schemas.ts";

const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const number = { type: "number" } as const;
const numbers = { type: "array", items: number };
const textOrNull = { type: ["string", "null"] };
const wholeOrNull = { type: ["integer", "null"] };
const numberOrNull = { type: ["number", "null"] };
const timeOrNull = { type: ["string", "null"], format: "date-time" };
const list = "/users/{user}/previews";
const one = `${list}/{id}`;
const log = `${one}/{twin}/runs/{run}/log`;

export const previewSchemas: Record<string, object> = {
  Previews: record("The previews of one merge request, of one user's twins.", {
    user: text,
    id: {
      ...text,
      description: "Number of the merge request; with the id of its project in front for a shared one.",
    },
    project: text,
    iid: whole,
    wantedAt: { ...text, format: "date-time" },
    twins: { type: "array", items: ref("Preview") },
  }),
  Preview: record("A twin as a merge request would make it, run beside the live one.", {
    twin: text,
    commit: text,
    phase: { enum: ["waiting", "building", "running", "done", "failed", "expired"] },
    since: timeOrNull,
    reason: textOrNull,
    expiresAt: timeOrNull,
    runs: { type: "array", items: ref("PreviewRun") },
    comparisons: { type: "array", items: ref("Comparison") },
  }),
  PreviewRun: record("One operation of a preview.", {
    operation: text,
    run: text,
    startedAt: timeOrNull,
    finishedAt: timeOrNull,
    durationMs: numberOrNull,
    outcome: { enum: ["succeeded", "failed", "timed-out", "cancelled", "stopped", "lost", null] },
    exitCode: wholeOrNull,
    reason: textOrNull,
  }),
  Comparison: record("Numbers of the preview beside those of the live twin's last successful run.", {
    file: text,
    column: text,
    tolerance: number,
    verdict: { enum: ["pass", "fail", "cannot-compare"] },
    reason: textOrNull,
    rows: whole,
    maxDifference: numberOrNull,
    atRow: {
      ...wholeOrNull,
      description: "Row of the largest difference, the first after the heading being 1.",
    },
    meanDifference: numberOrNull,
    live: { ...numbers, maxItems: 60, description: "Points for a plot, evenly taken; none in lists." },
    preview: { ...numbers, maxItems: 60 },
  }),
};

/** The operations of previews. */
export function previewPaths<O>({
  operation,
  json,
  problem,
  query,
}: Parts<O>): Record<string, Record<string, O>> {
  return {
    [list]: {
      get: operation(list, "previews", "Previews of merge requests, newest first.", {
        responses: { "200": json("Without the points of plots.", itemsOf("Previews")) },
      }),
    },
    [one]: {
      get: operation(one, "previews", "The previews of one merge request, with their numbers.", {
        responses: { "200": json("The previews.", ref("Previews")) },
      }),
    },
    [log]: {
      get: operation(log, "previews", "The log of one operation of a preview, as that of a run.", {
        parameters: [
          query("follow", "Go on until the run has ended.", { type: "boolean" }),
          query("after", "Begin behind the line with this event id.", { type: "integer" }),
          { name: "Last-Event-ID", in: "header", schema: { type: "string" }, description: "As `after`." },
        ],
        responses: {
          "200": {
            description: "Lines. An event's id is its offset; after the outcome comes one event `end`.",
            content: {
              "text/plain": { schema: { type: "string" } },
              "application/x-ndjson": { schema: { type: "string" } },
              "text/event-stream": { schema: { type: "string" } },
            },
          },
          "406": problem("No such representation."),
        },
      }),
    },
  };
}
